import {
  packWrites,
  readAlarmCallName,
  readCallMeta,
  unpackActivation,
  type ActivationStart,
  type ActorWrite,
  type CallMessage,
} from '../../runtime/environments/actor-messages.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import type { Invocation, InvocationHost } from '../../runtime/environments/invocation.ts'
import { KILLED } from '../../runtime/environments/launcher.ts'
import type { EngineError } from '../../runtime/errors.ts'
import type { Chance } from './chance.ts'

/** A call as a process has it. */
export interface HeldCall extends CallMessage {
  /** What it does once, whoever repeats it. */
  readonly operation: string
}

/** What a simulated process is made with. */
export interface ProcessOptions {
  readonly invocation: Invocation
  /** An alarm that it sets is due then. */
  readonly alarmDueAtMs: () => number
  /** It begins an exclusive call. */
  readonly began: (call: HeldCall) => void
  /** Planted bugs: whether a message of the engine gets lost, and who hears what the process says. */
  readonly isDeaf?: (() => boolean) | undefined
  readonly heardBy?: ((invocation: Invocation) => Invocation) | undefined
}

/**
 * The process side of one activation: a counter that notes each operation which has counted. It does one
 * thing when it is told to go on, and nothing by itself.
 */
export class ActorProcess {
  readonly invocation: Invocation
  readonly start: ActivationStart
  readonly calls: HeldCall[] = []
  /** Exclusive calls that it began and has not answered. */
  readonly begun = new Set<string>()
  expired = false
  gone = false
  #awake = false
  #stopping = false
  #questions = 0
  /** The call that waits for its writes to be on disk. */
  #flushing: { call: HeldCall; question: string; outcome: string | undefined; text: string } | undefined
  #lastReply: (() => void) | undefined
  readonly #cache = new Map<string, string>()
  readonly #options: ProcessOptions

  constructor(options: ProcessOptions) {
    this.#options = options
    this.invocation = options.invocation
    this.start = unpackActivation(options.invocation.input.payload)
    for (const { key, value } of this.start.rows) this.#cache.set(key, value?.toString() ?? '')
  }

  get isHosted(): boolean {
    return this.invocation.state === 'running'
  }
  /** It runs, and the engine has not ended it. */
  get isLive(): boolean {
    return this.isHosted && !this.expired && !this.gone
  }

  host(): void {
    const host: Partial<InvocationHost> = {
      message: (_invocation, meta, payload) => this.#hear(meta, payload),
      expire: () => void (this.expired = true),
    }
    this.invocation.host = host as InvocationHost // what activations use of it
    this.invocation.state = 'running'
  }

  /** Does what comes next; what that was. */
  goOn(chance: Chance, calm: boolean): string {
    if (!this.#awake) {
      if (!calm && chance.happens(0.04)) return this.#end(true, Buffer.from('start() threw'))
      this.#awake = true
      this.#say('awake')
      return 'awake'
    }
    if (this.#flushing?.outcome !== undefined) return this.#flushed()
    const at = this.calls.findIndex((call) => call.mode !== 'turn')
    if (at >= 0 && chance.happens(0.5)) return this.#run(this.calls.splice(at, 1)[0], chance, calm)
    if (this.#flushing !== undefined) return 'waits'
    const next = this.calls.findIndex((call) => call.mode === 'turn')
    if (next >= 0) return this.#run(this.calls.splice(next, 1)[0], chance, calm)
    if (this.#stopping && this.calls.length === 0) {
      if (!calm && chance.happens(0.1)) return this.#end(true, Buffer.from('stop() threw'))
      return this.#end(false, packWrites([put('stopped', '1')]))
    }
    return 'nothing'
  }

  crash(): void {
    this.#over()
    this.invocation.input.observer.lost(this.invocation, { ...KILLED, signal: 'SIGKILL' })
  }

  /** It cannot be started. */
  refuse(error: EngineError): void {
    this.#over()
    this.invocation.input.observer.refused(this.invocation, error)
  }

  notLoaded(): void {
    this.#over()
    this.invocation.input.observer.initFailed(this.invocation, Buffer.from('it was not loaded'))
  }

  /** What it said last comes once more, or, when it is over, what it would have said. */
  echo(chance: Chance): void {
    if (!this.gone && !this.expired) return this.#lastReply?.()
    const writes = packWrites([put('stale', 'written by a process that was over')])
    if (chance.happens(0.3)) this.#say('flush\n99\n1', writes)
    else this.#say(`reply\n${chance.whole(1, 5)}\n${writes.length}`, writes, 'stale')
  }

  #run(call: HeldCall | undefined, chance: Chance, calm: boolean): string {
    if (call === undefined) return 'nothing'
    if (call.mode === 'turn') {
      this.#options.began(call)
      this.begun.add(call.operation)
    }
    if (call.kind === 'alarm') return this.#ring(call, !calm && chance.happens(0.2))
    switch (call.name) {
      case 'add':
        return this.#reply(call, this.#count(call))
      case 'set-alarm': {
        const alarm = { name: call.operation, dueAtMs: this.#options.alarmDueAtMs() }
        const set = { ...alarm, kind: 'set-alarm', schedule: '', payload: Buffer.alloc(0) } as const
        return this.#reply(call, [...this.#count(call), set])
      }
      case 'flush': {
        const question = String(++this.#questions)
        const writes = packWrites(this.#count(call))
        this.#flushing = { call, question, outcome: undefined, text: this.#cache.get('n') ?? '0' }
        this.#say(`flush\n${question}\n${call.id}`, writes)
        return `flushes ${call.operation}`
      }
      case 'throw':
        return this.#fail(call)
      default:
        return this.#reply(call, [])
    }
  }

  #count({ operation }: HeldCall): ActorWrite[] {
    const counted = `op ${operation}`
    return [this.#add('n'), this.#add(counted)]
  }

  #ring(call: HeldCall, throws: boolean): string {
    if (throws) return this.#fail(call)
    return this.#reply(call, [this.#add(`rang ${readAlarmCallName(call.name).name}`)])
  }

  #add(key: string): ActorWrite {
    const value = String(Number(this.#cache.get(key) ?? 0) + 1)
    this.#cache.set(key, value)
    return put(key, value)
  }

  #flushed(): string {
    const flushing = this.#flushing
    this.#flushing = undefined
    if (flushing === undefined) return 'nothing'
    const { call, outcome, text } = flushing
    return outcome === 'done' ? this.#reply(call, [], text) : this.#fail(call)
  }

  #reply(call: HeldCall, writes: readonly ActorWrite[], text = this.#cache.get('n') ?? '0'): string {
    const packed = packWrites(writes)
    this.begun.delete(call.operation)
    const say = (): void => this.#say(`reply\n${call.id}\n${packed.length}`, packed, text)
    say()
    this.#lastReply = say
    return `answers ${call.operation} ${text}`
  }

  #fail(call: HeldCall): string {
    this.begun.delete(call.operation)
    this.#say(`reply\n${call.id}\n0`, Buffer.from('thrown'), '', FLAG.error)
    return `throws in ${call.operation}`
  }

  #end(isError: boolean, payload: Buffer): string {
    this.#over()
    const meta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }
    this.invocation.input.observer.answered(this.invocation, isError, meta, payload, 0)
    return isError ? 'throws' : 'sleeps'
  }

  #hear(meta: string, payload: Buffer): void {
    if (this.gone || this.#options.isDeaf?.() === true) return
    const [operation = '', ...fields] = meta.split('\n')
    if (operation === 'call') {
      const call = readCallMeta(fields)
      const text = call.kind === 'alarm' ? `alarm ${call.name}` : payload.toString()
      this.calls.push({ ...call, operation: text })
    } else if (operation === 'stop') this.#stopping = true
    else if (operation === 'done' || operation === 'failed') {
      const flushing = this.#flushing
      if (flushing !== undefined && flushing.question === fields[0]) flushing.outcome = operation
    }
  }

  #say(meta: string, payload: Buffer = NOTHING, text = '', flags = 0): void {
    const body = Buffer.concat([Buffer.from(meta), payload, Buffer.from(text)])
    const heard = this.#options.heardBy?.(this.invocation) ?? this.invocation
    heard.input.observer.said?.(heard, flags, Buffer.byteLength(meta), body)
  }

  #over(): void {
    this.gone = true
    this.invocation.state = 'ended'
  }
}

const NOTHING = Buffer.alloc(0)

const put = (key: string, value: string): ActorWrite => ({ kind: 'put', key, value: Buffer.from(value) })
