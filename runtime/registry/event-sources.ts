import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import {
  deleteCheckpoint,
  deleteEventSource,
  putCheckpoint,
  putEventSource,
  readCheckpoints,
  readEventSources,
  setEventSourceResult,
  type EventSourceRow,
} from '../store/event-sources.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import {
  isTransitional,
  type EventSourceRecord,
  type EventSourceSettings,
  type ShardCheckpoint,
  type ShardPosition,
  type SourceState,
  type WindowState,
} from './event-source-record.ts'
import { checkTagCount } from './rules.ts'
import { Serial } from './serial.ts'

/** Mappings of one account and region. */
const MAX_MAPPINGS = 10_000

/** What a mapping is made of. */
export type NewEventSource = Pick<
  EventSourceRecord,
  'functionName' | 'qualifier' | 'kind' | 'sourceArn' | 'enabled' | 'tags'
> & {
  readonly settings: (id: string) => EventSourceSettings
}

/** What may change of a mapping; what is absent stays. */
export type EventSourceUpdate = Partial<
  Pick<EventSourceRecord, 'functionName' | 'qualifier' | 'enabled' | 'settings'>
>

/** What event sources are kept with. */
export interface EventSourceParts {
  readonly store: Pick<Store, 'commit' | 'append' | 'reader'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
}

/**
 * The event source mappings and how far they have come. Reads are answered from memory; a change is on disk
 * before it is visible. Whoever polls is told of each change, and says when it has taken effect.
 */
export class EventSources {
  readonly #parts: EventSourceParts
  readonly #serial = new Serial()
  readonly #records = new Map<string, EventSourceRecord>()
  #listener: ((record: EventSourceRecord) => void) | undefined

  constructor(parts: EventSourceParts) {
    this.#parts = parts
    for (const row of readEventSources(parts.store.reader)) this.#records.set(row.id, recordOf(row))
  }

  /** Throws EngineError 'not-found'. */
  get(scope: Scope, id: string): EventSourceRecord {
    const record = this.#records.get(id)
    if (record !== undefined && isIn(record, scope)) return record
    throw new EngineError('not-found', 'The resource you requested does not exist.')
  }

  find(id: string): EventSourceRecord | undefined {
    return this.#records.get(id)
  }

  /** By id. */
  list(scope: Scope): EventSourceRecord[] {
    const found = [...this.#records.values()].filter((record) => isIn(record, scope))
    return found.sort((left, right) => (left.id < right.id ? -1 : 1))
  }

  /** Of every account and region. */
  all(): Iterable<EventSourceRecord> {
    return this.#records.values()
  }

  /** Tells `listener` of every change; there is one at a time. */
  watch(listener: (record: EventSourceRecord) => void): Disposable {
    this.#listener = listener
    return { [Symbol.dispose]: () => (this.#listener = undefined) }
  }

  /**
   * Makes a mapping. `check` sees every mapping of this account and region, and throws when it may not be.
   * Rejects 'throttled' when there are too many.
   */
  create(
    scope: Scope,
    input: NewEventSource,
    check: (existing: readonly EventSourceRecord[]) => void,
  ): Promise<EventSourceRecord> {
    return this.#serial.run(scopeKey(scope), async () => {
      const existing = this.list(scope)
      check(existing)
      if (existing.length >= MAX_MAPPINGS)
        throw new EngineError('throttled', `There are ${MAX_MAPPINGS} event source mappings already.`, {
          detail: 'changes',
        })
      checkTagCount(input.tags)
      const nowMs = this.#parts.clock.nowMs()
      const id = this.#parts.rng.uuid(nowMs)
      return await this.#put({
        ...input,
        id,
        scope,
        settings: input.settings(id),
        state: 'creating',
        createdAtMs: nowMs,
        modifiedAtMs: nowMs,
        lastResult: null,
      })
    })
  }

  /** Rejects 'not-found', 'conflict' with detail 'in-use' while it is on its way somewhere. */
  update(
    scope: Scope,
    id: string,
    change: (record: EventSourceRecord, existing: readonly EventSourceRecord[]) => EventSourceUpdate,
  ): Promise<EventSourceRecord> {
    return this.#serial.run(scopeKey(scope), async () => {
      const record = this.get(scope, id)
      if (isTransitional(record.state)) throw inUse('update')
      const update = change(record, this.list(scope))
      const enabled = update.enabled ?? record.enabled
      const state = enabled === record.enabled ? 'updating' : enabled ? 'enabling' : 'disabling'
      return await this.#put({ ...record, ...update, state, modifiedAtMs: this.#parts.clock.nowMs() })
    })
  }

  /** Rejects as `update`. It is gone when whoever polls has let go of it. */
  remove(scope: Scope, id: string): Promise<EventSourceRecord> {
    return this.#serial.run(scopeKey(scope), async () => {
      const record = this.get(scope, id)
      if (isTransitional(record.state)) throw inUse('delete')
      return await this.#put({ ...record, state: 'deleting', modifiedAtMs: this.#parts.clock.nowMs() })
    })
  }

  /** The last change has taken effect. Does nothing when another one has come since. */
  settle(record: EventSourceRecord): Promise<void> {
    return this.#serial.run(scopeKey(record.scope), async () => {
      const current = this.#records.get(record.id)
      if (current === undefined || current.state !== record.state || !isTransitional(record.state)) return
      if (record.state === 'deleting') {
        await this.#parts.store.commit(deleteEventSource(record.id))
        this.#records.delete(record.id)
        return
      }
      const state = current.enabled ? 'enabled' : 'disabled'
      await this.#write({ ...current, state })
    })
  }

  /** Rejects 'not-found', and 'invalid' for too many tags. */
  tag(
    scope: Scope,
    id: string,
    edit: (tags: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.#serial.run(scopeKey(scope), async () => {
      const record = this.get(scope, id)
      const tags = edit(record.tags)
      checkTagCount(tags)
      await this.#write({ ...record, tags })
    })
  }

  /** Notes how the last batch, or the last attempt to read, ended. */
  noteResult(id: string, lastResult: string): void {
    const record = this.#records.get(id)
    if (record === undefined || record.lastResult === lastResult) return
    this.#records.set(id, { ...record, lastResult })
    this.#parts.store.append([setEventSourceResult(id, lastResult)])
  }

  /** How far a mapping has come. Reads the disk: for the start of a mapping. */
  checkpoints(id: string): ShardCheckpoint[] {
    return readCheckpoints(this.#parts.store.reader, id).map((row) => ({
      shardId: row.shard_id,
      // the casts: written by `saveCheckpoints` below
      position: JSON.parse(row.position_json) as ShardPosition,
      window: row.window_json === null ? null : (JSON.parse(row.window_json) as WindowState),
    }))
  }

  /** Resolves when they are on disk. */
  saveCheckpoints(id: string, checkpoints: readonly ShardCheckpoint[]): Promise<void> {
    return this.#parts.store.commit(
      checkpoints.map(({ shardId, position, window }) =>
        putCheckpoint(id, {
          shard_id: shardId,
          position_json: JSON.stringify(position),
          window_json: window === null ? null : JSON.stringify(window),
        }),
      ),
    )
  }

  /** Forgets shards that the stream itself has forgotten. */
  dropCheckpoints(id: string, shardIds: readonly string[]): Promise<void> {
    return this.#parts.store.commit(shardIds.map((shardId) => deleteCheckpoint(id, shardId)))
  }

  /** Resolves when changes that are under way have ended. */
  async close(): Promise<void> {
    this.#listener = undefined
    await this.#serial.drained()
  }

  async #put(record: EventSourceRecord): Promise<EventSourceRecord> {
    await this.#write(record)
    this.#listener?.(record)
    return record
  }

  async #write(record: EventSourceRecord): Promise<void> {
    await this.#parts.store.commit([putEventSource(rowOf(record))])
    const lastResult = this.#records.get(record.id)?.lastResult ?? record.lastResult
    this.#records.set(record.id, { ...record, lastResult })
  }
}

const isIn = ({ scope }: EventSourceRecord, { account, region }: Scope): boolean =>
  scope.account === account && scope.region === region

const scopeKey = ({ account, region }: Scope): string => `${account}/${region}`

const inUse = (verb: string): EngineError =>
  new EngineError('conflict', `Cannot ${verb} the event source mapping because it is in use.`, {
    detail: 'in-use',
  })

const rowOf = (record: EventSourceRecord): EventSourceRow => ({
  id: record.id,
  account: record.scope.account,
  region: record.scope.region,
  function_name: record.functionName,
  qualifier: record.qualifier ?? null,
  kind: record.kind,
  source_arn: record.sourceArn,
  enabled: record.enabled ? 1 : 0,
  state: record.state,
  settings_json: JSON.stringify(record.settings),
  tags_json: JSON.stringify(record.tags),
  created_at_ms: record.createdAtMs,
  modified_at_ms: record.modifiedAtMs,
  last_result: record.lastResult,
})

/** The casts: columns that `rowOf` wrote. */
const recordOf = (row: EventSourceRow): EventSourceRecord => ({
  id: row.id,
  scope: { account: row.account, region: row.region },
  functionName: row.function_name,
  qualifier: row.qualifier ?? undefined,
  kind: row.kind as EventSourceRecord['kind'],
  sourceArn: row.source_arn,
  enabled: row.enabled === 1,
  state: row.state as SourceState,
  settings: JSON.parse(row.settings_json) as EventSourceSettings,
  tags: JSON.parse(row.tags_json) as Record<string, string>,
  createdAtMs: row.created_at_ms,
  modifiedAtMs: row.modified_at_ms,
  lastResult: row.last_result,
})
