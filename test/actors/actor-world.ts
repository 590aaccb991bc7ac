import { actorShape } from '../../runtime/actors/actor-options.ts'
import type { CallRequest } from '../../runtime/actors/actor-call.ts'
import type { ActorCode } from '../../runtime/actors/actor-parts.ts'
import { CallRecorder } from '../../runtime/actors/call-records.ts'
import { ActorDirectory } from '../../runtime/actors/directory.ts'
import {
  packWrites,
  readCallMeta,
  unpackActivation,
  type ActivationStart,
  type ActorWrite,
  type CallMessage,
} from '../../runtime/environments/actor-messages.ts'
import { errorNameOf, packError } from '../../runtime/environments/call-payload.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import type { Invocation, InvocationHost } from '../../runtime/environments/invocation.ts'
import { KILLED, type ProcessExit } from '../../runtime/environments/launcher.ts'
import type { EngineError } from '../../runtime/errors.ts'
import { findActor, readActorValues } from '../../runtime/store/actor-reading.ts'
import { createLog } from '../../runtime/log.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import type { RunRecord } from '../../runtime/store/journal.ts'
import type { Change } from '../../runtime/store/store.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { turn, version } from '../support/scheduler-world.ts'

export const SCOPE = { account: '000000000000', region: 'us-east-1' }
export const address = (key: string, className = 'Tally'): ActorAddress => ({
  scope: SCOPE,
  functionName: 'shop',
  className,
  key,
})

/** A message that an activation got and has not used. */
export interface Told {
  readonly operation: string
  readonly fields: readonly string[]
  readonly payload: Buffer
}

/** A call as a process got it. */
export interface HeldCall extends CallMessage {
  readonly args: string
}

/**
 * The process side of an activation that does what a test says, when it says so. It hears what the engine
 * tells it only while it is alive.
 */
export class ScriptedActivation {
  readonly invocation: Invocation
  readonly start: ActivationStart
  readonly told: Told[] = []
  readonly calls: HeldCall[] = []
  /** The engine has ended it. */
  expired = false
  gone = false

  constructor(invocation: Invocation) {
    this.invocation = invocation
    this.start = unpackActivation(invocation.input.payload)
  }

  /** It has a place in a process. */
  host(): this {
    const host: Partial<InvocationHost> = {
      message: (_invocation, meta, payload) => this.#hear(meta, payload),
      expire: () => void (this.expired = true),
    }
    this.invocation.host = host as InvocationHost // what activations use of it
    this.invocation.state = 'running'
    return this
  }

  wake(): this {
    this.host()
    this.say('awake')
    return this
  }

  say(meta: string, payload: Buffer = Buffer.alloc(0), flags = 0): void {
    const body = Buffer.concat([Buffer.from(meta), payload])
    this.invocation.input.observer.said?.(this.invocation, flags, Buffer.byteLength(meta), body)
  }

  /** Answers the oldest call that it has, or that of a number. */
  reply(value: string, writes: readonly ActorWrite[] = [], id = this.calls[0]?.id ?? 0): void {
    this.#answered(id)
    const packed = packWrites(writes)
    this.say(`reply\n${id}\n${packed.length}`, Buffer.concat([packed, Buffer.from(value)]))
  }

  fail(error: string, id = this.calls[0]?.id ?? 0): void {
    this.#answered(id)
    this.say(`reply\n${id}\n0`, packError(error, Buffer.alloc(0)), FLAG.error)
  }

  /** Ends the invocation as it should. */
  end(writes: readonly ActorWrite[] = []): void {
    this.#over()
    const meta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }
    this.invocation.input.observer.answered(this.invocation, false, meta, packWrites(writes), 0)
  }

  /** Ends it with an error, such as one of start(). */
  throw(error: string): void {
    this.#over()
    const meta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }
    const thrown = packError(error, Buffer.alloc(0))
    this.invocation.input.observer.answered(this.invocation, true, meta, thrown, 1)
  }

  crash(exit: Partial<ProcessExit> = { signal: 'SIGKILL' }): void {
    this.#over()
    this.invocation.input.observer.lost(this.invocation, { ...KILLED, ...exit })
  }

  /** What it was told with this operation. */
  heard(operation: string): Told[] {
    return this.told.filter((one) => one.operation === operation)
  }

  #hear(meta: string, payload: Buffer): void {
    if (this.gone) return
    const [operation = '', ...fields] = meta.split('\n')
    if (operation === 'call') this.calls.push({ ...readCallMeta(fields), args: payload.toString() })
    else this.told.push({ operation, fields, payload })
  }

  #answered(id: number): void {
    const index = this.calls.findIndex((one) => one.id === id)
    if (index >= 0) this.calls.splice(index, 1)
  }

  #over(): void {
    this.gone = true
    this.invocation.state = 'ended'
  }
}

/** What became of a call. */
export interface Outcome {
  text: string | undefined
  error: EngineError | undefined
  /** The method threw. */
  thrown: string | undefined
  /** How often it was told: never more than once. */
  told: number
}

export interface ActorWorld {
  readonly clock: FakeClock
  readonly store: OpenStore
  readonly directory: ActorDirectory
  /** In the order in which they were submitted. */
  readonly activations: ScriptedActivation[]
  readonly latest: () => ScriptedActivation
  readonly call: (key: string, name: string, more?: Partial<CallRequest> & { of?: string }) => Outcome
  /** Lets commits through, unless they are held. */
  readonly settle: () => Promise<void>
  readonly commits: {
    /** Commits wait until `release`. */
    hold(): void
    release(): Promise<void>
    /** The next commits fail, and nothing of them is kept. */
    failWith(error: EngineError | undefined): void
    /** Sets that were committed. */
    readonly done: (readonly Change[])[]
  }
  /** Calls as they were written down. */
  readonly runs: RunRecord[]
  /** New code: what a lookup finds from now on. */
  deploy(key: string): void
}

/** A directory over scripted activations, a clock that stands still and a store in memory. */
export async function actorWorld(
  options: Readonly<Record<string, Record<string, unknown>>> = { Tally: {}, Other: {} },
  existing?: OpenStore,
): Promise<ActorWorld> {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = existing ?? (await openStore({ dataDirectory: IN_MEMORY, clock, log }))
  const activations: ScriptedActivation[] = []
  let current = version('shop')
  let held: (() => void)[] | undefined
  let failure: EngineError | undefined
  const done: (readonly Change[])[] = []
  const commit = async (changes: readonly Change[]): Promise<void> => {
    if (held !== undefined) await new Promise<void>((resolve) => held?.push(resolve))
    if (failure !== undefined) throw failure
    await store.commit(changes)
    done.push(changes)
  }
  const codeOf = ({ className }: ActorAddress): ActorCode => {
    const code = current
    return {
      shape: actorShape(code, className, options[className] ?? {}),
      isCurrent: () => code === current,
      invocation: ({ key }) => ({
        requestId: key,
        version: code,
        limits: { functionId: '', reservedConcurrency: null, inFlight: 0 },
        ...{ invokedArn: '', traceId: '', clientContext: '', tenantId: '' },
        streaming: false,
        waitsForever: true,
      }),
    }
  }
  const runs: RunRecord[] = []
  const journal = { open: () => 1, finished: () => {}, close: () => {} }
  const newId = (atMs: number): string => `run-${atMs}`
  const directory = new ActorDirectory({
    ...{ clock, log, codeOf },
    records: new CallRecorder({ clock, journal, newId, onRecord: (record) => runs.push(record) }),
    store: {
      commit,
      append: (changes) => store.append(changes),
      reader: store.reader,
      bootEpoch: store.bootEpoch + (existing === undefined ? 0 : 1),
    },
    submit: (invocation) => void activations.push(new ScriptedActivation(invocation)),
    withdraw: () => {},
    encodeLoadError: (json) => json,
  })
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) await turn()
  }
  return {
    ...{ clock, store, directory, activations, settle, runs },
    latest: () => {
      const last = activations.at(-1)
      if (last === undefined) throw new Error('Nothing was activated.')
      return last
    },
    call: (key, name, { of, ...more } = {}) => {
      const outcome: Outcome = { text: undefined, error: undefined, thrown: undefined, told: 0 }
      directory.call(address(key, of), {
        ...{ kind: 'method', name, args: Buffer.from(name), flags: 0 },
        sink: {
          answered: (flags, body) => {
            outcome.told += 1
            if ((flags & FLAG.error) === 0) outcome.text = body.toString()
            else outcome.thrown = errorNameOf(body)
          },
          failed: (error) => {
            outcome.told += 1
            outcome.error = error
          },
        },
        ...more,
      })
      return outcome
    },
    commits: {
      hold: () => void (held ??= []),
      release: async () => {
        const waiting = held ?? []
        held = undefined
        for (const go of waiting) go()
        await settle()
      },
      failWith: (error) => void (failure = error),
      done,
    },
    deploy: (key) => void (current = { ...version('shop'), key }),
  }
}

/** A write of an entry. */
export const put = (key: string, value: string): ActorWrite => ({
  kind: 'put',
  key,
  value: Buffer.from(value),
})

/** What is on disk under one entry. */
export const stored = ({ store }: ActorWorld, key: string, entry: string): string | undefined => {
  const row = findActor(store.reader, address(key))
  return row === undefined ? undefined : readActorValues(store.reader, row.id, [entry])[0]?.value.toString()
}
/** An actor that is awake and has answered one call. */
export async function awake(world: ActorWorld, key = 'a'): Promise<void> {
  world.call(key, 'first')
  world.latest().wake().reply('ok')
  await world.settle()
}
