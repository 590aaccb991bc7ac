import { ActorError } from '../../../sdk/actor-errors.ts'
import { concurrentOf, seatActor, type Actor } from '../../../sdk/actor.ts'
import type { ActorHooks } from '../../../sdk/actor-types.ts'
import {
  ACTOR_CALL,
  packKeys,
  packWrites,
  readCallMeta,
  unpackRows,
  type AlarmRow,
  type CallMessage,
} from '../../actor-messages.ts'
import { FLAG } from '../../frames.ts'
import { after, nextTurn } from '../clock.ts'
import { Invocation } from '../invocation.ts'
import type { ActivationParts, EncodedResult } from './activation-parts.ts'
import { CallAlarms } from './actor-alarms.ts'
import { ActorCall, callOf } from './actor-call.ts'
import { ActorSockets } from './actor-sockets.ts'
import { CallStorage } from './actor-storage.ts'
import { invokeCall } from './invoke-call.ts'
import { Questions } from './questions.ts'
import { StorageCache, type StorageSource } from './storage-cache.ts'
import { isStream, pumpStream } from './stream-pump.ts'

/** Time that `stop()` has. */
const STOP_MS = 5000
/** Calls that run one behind the other before the event loop gets a turn. */
const CALLS_A_TURN = 256
const NOTHING = Buffer.alloc(0)

/** One awake actor, from its construction until it sleeps again. */
export class Activation {
  readonly #parts: ActivationParts
  /** Methods that may not write. */
  readonly #concurrent: ReadonlySet<string>
  readonly #questions: Questions
  readonly #cache: StorageCache
  readonly #storage: CallStorage
  readonly #alarms: CallAlarms
  readonly #sockets: ActorSockets
  #state: 'starting' | 'awake' | 'stopping' | 'ended' = 'starting'
  #actor: (Actor & ActorHooks) | undefined
  readonly #calls = new Map<number, ActorCall>()
  /** Those that run one at a time. */
  readonly #waiting: ActorCall[] = []
  /** Those that came before `start` had ended and wait for nothing else. */
  #early: ActorCall[] = []
  #turn: ActorCall | undefined
  #running = 0
  #isTaking = false
  /** It takes no more calls: what has not begun goes to the next activation. */
  #isLeaving = false

  constructor(parts: ActivationParts) {
    const { codec, start, scope } = parts
    this.#parts = parts
    this.#concurrent = new Set(concurrentOf(parts.Class))
    const say = (meta: string, payload: Buffer): void => this.#say(meta, [payload])
    this.#questions = new Questions(say)
    const source = storageSource(this.#questions)
    this.#cache = new StorageCache({ codec, source, rows: start.rows, isComplete: start.complete })
    const current = (): ActorCall | undefined => callOf(scope.current())
    this.#storage = new CallStorage({
      codec,
      cache: this.#cache,
      current,
      runInside: (call, body) => this.#runInside(call, body),
      commit: (call) => this.#commit(call),
    })
    const read = async (): Promise<AlarmRow[]> =>
      JSON.parse(String(await this.#questions.ask('alarms', NOTHING))) as AlarmRow[] // written by the engine
    this.#alarms = new CallAlarms({ codec, current, read })
    this.#sockets = new ActorSockets(start.sockets, say)
  }

  /** Makes the actor and runs `start`. */
  begin(): void {
    const { Class, key, scope, contextOf, invocation } = this.#parts
    const seat = {
      key,
      storage: this.#storage,
      alarms: this.#alarms,
      context: () => contextOf(scope.current() ?? invocation),
      sockets: () => this.#sockets.list(),
      exit: () => this.#leaveSoon(),
    }
    const call = this.#hook('start')
    const started = this.#enter(call, async () => {
      this.#actor = seatActor(Class, seat)
      await this.#actor.start?.()
      if (call.layer?.isEmpty === false) await this.#commit(call)
    })
    started.then(
      () => this.#awake(call),
      (error: unknown) => {
        this.#leave(call)
        this.#end(this.#parts.codec.encodeError(error), true)
      },
    )
  }

  /** Takes a message of the engine. */
  receive(operation: string, fields: readonly string[], payload: Buffer): void {
    if (this.#state === 'ended') return
    const number = Number(fields[0])
    switch (operation) {
      case 'call':
        return this.#accept(readCallMeta(fields), payload)
      case 'abort':
        return this.#calls.get(number)?.invocation.abort(aborted('Nobody waits for the call any more.'))
      case 'taken':
        return this.#calls.get(number)?.onTaken?.(Number(fields[1]))
      case 'rows':
      case 'alarms':
      case 'done':
        return this.#questions.answer(number, payload)
      case 'failed':
        return this.#questions.fail(number, payload.toString())
      case 'stop':
        return this.#stop()
      default:
        throw new RangeError(`The engine told an actor something unknown, "${operation}".`)
    }
  }

  /** Ends at once, whatever runs: nothing that it says counts any more. */
  abandon(): void {
    this.#end(NOTHING, false)
  }

  #awake(start: ActorCall): void {
    this.#leave(start)
    if (this.#state !== 'starting') return
    this.#state = 'awake'
    this.#say('awake', [])
    const early = this.#early
    this.#early = []
    for (const call of early) this.#run(call)
    this.#takeTurns()
  }

  #accept(message: CallMessage, payload: Buffer): void {
    const outer = message.mode === 'inner' ? this.#calls.get(message.outer) : undefined
    // What it came back into has ended, or holds nobody up: it is a call like any other.
    const isInner = outer?.state === 'running' && outer.layer !== undefined
    const mode = message.mode === 'inner' && !isInner ? 'turn' : message.mode
    const call = this.#callOf({ ...message, mode }, payload, isInner ? outer : undefined)
    this.#calls.set(message.id, call)
    if (mode === 'turn') {
      this.#waiting.push(call)
      this.#takeTurns()
    } else if (this.#state === 'starting') this.#early.push(call)
    else if (!this.#isLeaving) this.#run(call)
  }

  /** Runs those that wait one behind the other. */
  #takeTurns(): void {
    if (this.#isTaking || this.#state !== 'awake') return
    this.#isTaking = true
    for (let taken = 0; this.#turn === undefined && !this.#isLeaving; taken++) {
      if (taken === CALLS_A_TURN) {
        nextTurn(() => {
          this.#isTaking = false
          this.#takeTurns()
        })
        return
      }
      const call = this.#waiting.shift()
      if (call === undefined) break
      this.#turn = call
      this.#run(call)
    }
    this.#isTaking = false
    if (this.#isLeaving && this.#running === 0) this.#stop()
  }

  #run(call: ActorCall): void {
    const { Class, codec } = this.#parts
    const actor = this.#actor
    if (actor === undefined) throw new Error('A call runs before its actor was made.')
    call.outer?.innerBegan()
    try {
      const result = this.#enter(call, () => {
        return invokeCall(call, { Class, actor, codec, sockets: this.#sockets })
      })
      if (isThenable(result))
        result.then(
          (value) => this.#finish(call, value),
          (error: unknown) => this.#fail(call, error),
        )
      else this.#finish(call, result)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #finish(call: ActorCall, value: unknown): void {
    if (isStream(value)) return this.#pump(call, value)
    const keyed = (call.message.flags & ACTOR_CALL.keyed) !== 0
    let result: EncodedResult
    try {
      result = this.#parts.codec.encodeResult(value, keyed)
    } catch (error) {
      return this.#fail(call, error)
    }
    this.#whenAlone(call, () => this.#reply(call, result))
  }

  #fail(call: ActorCall, thrown: unknown): void {
    // Of a hook's failure nobody else would learn.
    if (call.message.kind !== 'method') this.#logError(call, thrown)
    this.#whenAlone(call, () => {
      this.#say(`reply\n${call.message.id}\n0`, [this.#parts.codec.encodeError(thrown)], FLAG.error)
      this.#leave(call)
    })
  }

  #pump(call: ActorCall, items: AsyncGenerator<unknown>): void {
    const { codec } = this.#parts
    const run = <T>(body: () => T): T => this.#parts.scope.run(call.invocation, body)
    const send = (index: number, item: unknown): void => {
      const { payload, flags } = codec.encodeResult(item, false)
      this.#say(`item\n${call.message.id}\n${index}`, [payload], flags)
    }
    pumpStream(call, items, run, send).then(
      () => this.#finish(call, undefined),
      (error: unknown) => this.#fail(call, error),
    )
  }

  /** The reply and what the call has written leave in one frame. */
  #reply(call: ActorCall, { payload, flags }: EncodedResult): void {
    const { layer, message } = call
    try {
      if (layer?.parent !== undefined) layer.mergeDown()
    } catch (error) {
      return this.#fail(call, error)
    }
    if (layer === undefined || layer.isEmpty) this.#say(`reply\n${message.id}\n0`, [payload], flags)
    else {
      const writes = packWrites(layer.toWrites())
      this.#say(`reply\n${message.id}\n${writes.length}`, [writes, payload], flags)
      this.#cache.apply(layer.entries)
    }
    this.#leave(call)
  }

  /** Behind the calls that came back into this one. */
  #whenAlone(call: ActorCall, body: () => void): void {
    if (call.innerRunning === 0) body()
    else call.whenAlone = body
  }

  /** A part of a call that writes for itself until it has ended well. */
  async #runInside<T>(call: ActorCall, body: (part: ActorCall) => Promise<T>): Promise<T> {
    const part = this.#callOf({ ...call.message, mode: 'inner' }, NOTHING, call)
    try {
      return await this.#enter(part, () => body(part))
    } finally {
      this.#leave(part, false)
    }
  }

  async #commit(call: ActorCall): Promise<void> {
    const { layer, message } = call
    if (layer === undefined) return
    const writes = packWrites(layer.toWrites())
    const written = this.#questions.ask('flush', writes, `\n${message.id}`)
    this.#cache.apply(layer.entries)
    layer.clear()
    try {
      await written
    } catch (error) {
      // What is cached was not written: this activation knows nothing for certain any more.
      this.#end(this.#parts.codec.encodeError(error), true)
      throw error
    }
  }

  #leaveSoon(): void {
    this.#isLeaving = true
    this.#takeTurns()
  }

  /** Nothing runs any more: runs `stop`, and ends with what that has written. */
  #stop(): void {
    if (this.#state !== 'awake') return
    this.#state = 'stopping'
    const actor = this.#actor
    if (actor?.stop === undefined) return this.#end(NOTHING, false)
    const call = this.#hook('stop')
    const finish = (): void => {
      cancel()
      const writes = packWrites(call.layer?.toWrites() ?? [])
      this.#leave(call)
      this.#end(writes, false)
    }
    const fail = (error: unknown): void => {
      this.#logError(call, error)
      call.layer?.clear()
      finish()
    }
    const late = (): void => fail(new ActorError('ActorLimit', `stop() took longer than ${STOP_MS} ms.`))
    const cancel = after(STOP_MS, () => this.#state === 'stopping' && late())
    this.#enter(call, async () => actor.stop?.()).then(
      () => this.#state === 'stopping' && finish(),
      (error: unknown) => this.#state === 'stopping' && fail(error),
    )
  }

  #end(payload: Buffer, isError: boolean): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    const reason = aborted('The actor has ended.')
    for (const call of this.#calls.values()) {
      call.invocation.abort(reason)
      call.state = 'ended'
    }
    this.#calls.clear()
    this.#waiting.length = 0
    this.#questions.failAll(reason)
    this.#parts.port.end(payload, isError)
  }

  #callOf(message: CallMessage, payload: Buffer, outer?: ActorCall): ActorCall {
    const { id, meta } = this.#parts.invocation
    const invocation = new Invocation(id, meta, NOTHING)
    const isReadOnly = message.kind === 'method' && this.#concurrent.has(message.name)
    const call = new ActorCall(message, payload, invocation, outer, isReadOnly)
    invocation.part = call
    return call
  }

  #hook(name: 'start' | 'stop'): ActorCall {
    return this.#callOf({ id: 0, kind: 'method', mode: 'turn', outer: 0, flags: 0, name }, NOTHING)
  }

  #enter<T>(call: ActorCall, body: () => T): T {
    call.state = 'running'
    call.invocation.state = 'running'
    call.invocation.context = this.#parts.contextOf(call.invocation)
    this.#running++
    return this.#parts.scope.run(call.invocation, body)
  }

  /** Ends a call; `counts`: others may be waiting for that. */
  #leave(call: ActorCall, counts = true): void {
    this.#running--
    call.state = 'ended'
    call.invocation.markAnswered()
    this.#parts.scope.leave(call.invocation)
    if (!counts) return
    this.#calls.delete(call.message.id)
    call.outer?.innerEnded()
    if (this.#turn === call) this.#turn = undefined
    this.#takeTurns()
  }

  #logError({ invocation, message: { kind, name } }: ActorCall, thrown: unknown): void {
    const hook = kind === 'method' ? name : kind
    this.#parts.scope.run(invocation, () => this.#parts.logError(`The hook ${hook}() failed:`, thrown))
  }

  #say(meta: string, payload: readonly Buffer[], flags = 0): void {
    if (this.#state !== 'ended') this.#parts.port.say(meta, payload, flags)
  }
}

const storageSource = (questions: Questions): StorageSource => ({
  async read(key) {
    const [row] = unpackRows(await questions.ask('read', packKeys([key])))
    return row?.value
  },
  list: async (query) => unpackRows(await questions.ask('list', Buffer.from(JSON.stringify(query)))),
})

const aborted = (message: string): DOMException => new DOMException(message, 'AbortError')

/** Any object can be asked for a member. */
const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
