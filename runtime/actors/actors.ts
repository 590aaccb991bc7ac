import type { Clock } from '../clock.ts'
import { ACTOR_ERROR } from '../environments/actor-messages.ts'
import type { Invocation } from '../environments/invocation.ts'
import { EngineError } from '../errors.ts'
import { encodeFailure } from '../invoke/failure-codec.ts'
import { describeError } from '../invoke/outcomes.ts'
import type { Requests } from '../invoke/requests.ts'
import { refusalFailure } from '../invoke/task-errors.ts'
import type { Log } from '../log.ts'
import type { ObjectTable } from '../objects/object-table.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { findActor, listActors, readActorAlarms, summaryOf } from '../store/actor-reading.ts'
import type { ActorAddress, ActorSummary } from '../store/actors.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { ActorCodes, type CodeParts } from './actor-code.ts'
import { ActorRequests, keyOf } from './actor-requests.ts'
import type { ActorStateName } from './actor-state.ts'
import type { Actor } from './actor.ts'
import type { CallRecorder } from './call-records.ts'
import { ActorDirectory } from './directory.ts'
import { nameOf } from './failures.ts'

/** What actors are built of. */
export interface ActorsParts extends CodeParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<Store, 'commit' | 'append' | 'reader' | 'bootEpoch'>
  readonly scheduler: Pick<Scheduler, 'submit' | 'withdraw' | 'reasons'>
  readonly objects: ObjectTable
  readonly requests: Pick<Requests, 'on'>
  readonly records: CallRecorder
  readonly changed?: (address: ActorAddress, state: ActorStateName, reason: string) => void
}

/** An actor as it is shown. */
export interface ActorView {
  readonly function: string
  readonly class: string
  readonly key: string
  readonly state: ActorStateName
  /** Why it is not awake, where there is something to say. */
  readonly reason?: string
  /** Calls that wait. */
  readonly mailbox: number
  /** Calls that its process has. */
  readonly running: number
  readonly environmentId?: string
  readonly storageBytes: number
  readonly alarms: number
  readonly nextAlarmAtMs: number | null
  readonly createdAtMs: number | null
  readonly lastActiveAtMs: number | null
  readonly lastError: string | null
}

/** A call from outside. */
export interface OutsideCall {
  readonly address: ActorAddress
  readonly method: string
  /** A value: an array. */
  readonly args: Buffer
  readonly idempotencyKey?: string | undefined
  readonly timeoutMs?: number | undefined
  /** The caller gives up. */
  readonly signal?: AbortSignal | undefined
}

/** What a method gave: `flags` as in frames. */
export interface CallResult {
  readonly flags: number
  readonly body: Buffer
}

/** How long the engine waits for actors to go to sleep when it stops. */
const SLEEP_MS = 2000

/** Actors: their directory, and the ways to it from inside processes and from outside. */
export class Actors {
  readonly directory: ActorDirectory
  readonly requests: ActorRequests
  readonly #parts: ActorsParts

  constructor(parts: ActorsParts) {
    this.#parts = parts
    const { clock, log, store, scheduler, records, changed } = parts
    const codes = new ActorCodes(parts)
    this.directory = new ActorDirectory({
      ...{ clock, log, store, records },
      codeOf: (address) => codes.of(address),
      submit: (invocation) => scheduler.submit(invocation),
      withdraw: (invocation) => scheduler.withdraw(invocation, false),
      encodeLoadError: (json) => {
        const { errorType, errorMessage } = describeError(json)
        return encodeFailure({ name: errorType, message: errorMessage })
      },
      ...(changed === undefined ? {} : { changed }),
    })
    const { objects, requests } = parts
    this.requests = new ActorRequests({ directory: this.directory, objects, requests, encodeError })
  }

  /** Calls that ended well and of which there is no run. */
  get unrecorded(): number {
    return this.#parts.records.skipped
  }

  /** Rings alarms and wakes those that never sleep. */
  open(): void {
    this.directory.open()
  }

  /**
   * Calls an actor from outside. Rejects with EngineErrors whose `detail` is the error's name for callers
   * (ActorCrashed, MailboxFull, …); 'not-found' for a function or class that is not there, 'infeasible'.
   */
  async call({ address, method, args, idempotencyKey, timeoutMs, signal }: OutsideCall): Promise<CallResult> {
    if (idempotencyKey !== undefined) keyOf(idempotencyKey)
    return await new Promise<CallResult>((resolve, reject) => {
      const call = this.directory.call(address, {
        ...{ kind: 'method', name: method, args, flags: 0, idempotencyKey, timeoutMs },
        sink: { answered: (flags, body) => resolve({ flags, body }), failed: reject },
      })
      const cancel = (): void => this.directory.cancel(call)
      if (signal?.aborted === true) cancel()
      else signal?.addEventListener('abort', cancel, { once: true })
    })
  }

  /** Actors of one account and region behind an id, and the id to go on from; undefined at the end. */
  list(
    query: { scope: Scope; functionName: string | undefined; className: string | undefined; afterId: number },
    limit: number,
  ): { actors: ActorView[]; nextId: number | undefined } {
    const rows = listActors(this.#parts.store.reader, query, limit)
    return {
      actors: rows.map((row) => this.#view(row, row)),
      nextId: rows.length < limit ? undefined : rows.at(-1)?.id,
    }
  }

  /** One actor with its alarms. Throws 'not-found' for one that was never awake. */
  get(address: ActorAddress): ActorView & { readonly alarmList: readonly object[] } {
    const { reader } = this.#parts.store
    const row = findActor(reader, address)
    if (row === undefined && this.directory.find(address) === undefined) throw unknown(address)
    const alarms = row === undefined ? [] : readActorAlarms(reader, row.id)
    return {
      ...this.#view(address, row === undefined ? undefined : summaryOf(reader, row)),
      alarmList: alarms.map(({ name, dueAtMs, schedule, attempt, failed }) => ({
        ...{ name, dueAtMs, attempt, schedule: schedule === '' ? undefined : schedule },
        failed: failed ?? undefined,
      })),
    }
  }

  /** Ends its process; what it has stored stays. Throws 'not-found' for one that was never awake. */
  kill(address: ActorAddress): void {
    if (this.directory.find(address) === undefined && !this.#isKnown(address)) throw unknown(address)
    this.directory.kill(address)
  }

  /** Leaves nothing of it. Rejects 'not-found' for one that was never awake, and as a commit does. */
  async destroy(address: ActorAddress): Promise<void> {
    if (this.directory.find(address) === undefined && !this.#isKnown(address)) throw unknown(address)
    await this.directory.destroy(address)
  }

  /** A version was replaced. Call it before the scheduler hears of it. */
  retire(versionKey: string): void {
    this.directory.retire(versionKey)
  }

  /** Invocations whose version was replaced before they began. */
  reroute(invocations: readonly Invocation[]): void {
    this.directory.reroute(invocations)
  }

  /** Resolves when no call waits or runs. */
  async drain(): Promise<void> {
    await this.directory.drain()
  }

  /** Takes no calls any more, sends all to sleep and waits for that a little. */
  async close(): Promise<void> {
    await this.directory.close(SLEEP_MS)
    this.#parts.records.close()
  }

  #isKnown(address: ActorAddress): boolean {
    return findActor(this.#parts.store.reader, address) !== undefined
  }

  #view(address: ActorAddress, row: ActorSummary | undefined): ActorView {
    const actor = this.directory.find(address)
    const reason = actor === undefined ? undefined : this.#reasonOf(actor)
    const environmentId = actor?.activation?.invocation?.host?.id
    return {
      function: address.functionName,
      class: address.className,
      key: address.key,
      state: actor?.state ?? 'asleep',
      ...(reason === undefined ? {} : { reason }),
      mailbox: actor?.waiting ?? 0,
      running: actor?.activation?.running ?? 0,
      ...(environmentId === undefined ? {} : { environmentId }),
      storageBytes: row?.storageBytes ?? 0,
      alarms: row?.alarms ?? 0,
      nextAlarmAtMs: row?.nextAlarmAtMs ?? null,
      createdAtMs: row?.createdAtMs ?? null,
      lastActiveAtMs: row?.lastActiveAtMs ?? null,
      lastError: actor?.record.lastError ?? row?.lastError ?? null,
    }
  }

  #reasonOf(actor: Actor): string | undefined {
    if (actor.quarantine !== undefined) return actor.quarantine.reason
    if (actor.state !== 'activating') return undefined
    const { functionName } = actor.address
    if (actor.activation?.isHosted === true) return 'start() runs.'
    const why = this.#parts.scheduler.reasons().find((one) => one.functionName === functionName)
    return why?.reason ?? 'Its function gets ready.'
  }
}

/** An EngineError about a call as the code of a caller gets it. */
export function encodeError(error: EngineError): Buffer {
  const { detail } = error
  if (detail === undefined || !NAMES.has(detail)) return encodeFailure(refusalFailure(error))
  return encodeFailure({ name: detail, message: error.message, detail: { code: error.code } })
}

const NAMES: ReadonlySet<string> = new Set(Object.values(ACTOR_ERROR))

const unknown = (address: ActorAddress): EngineError =>
  new EngineError('not-found', `There is no actor ${nameOf(address)}: nobody has called it yet.`)
