import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Journal, Scope } from './journal.ts'
import type { Change, Store } from './store.ts'

/** Groups that somebody made or set something on; others are there because a function writes to them. */
export const logGroupsSchema = `
CREATE TABLE log_groups (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  retention_days INTEGER,
  tags_json TEXT NOT NULL,
  PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const logGroupStatements = {
  putLogGroup: `INSERT OR REPLACE INTO log_groups (account, region, name, created_at_ms, retention_days, tags_json)
    VALUES (?, ?, ?, ?, ?, ?)`,
  deleteLogGroup: 'DELETE FROM log_groups WHERE account = ? AND region = ? AND name = ?',
} as const satisfies Record<string, string>

/** A group of log streams with what was said about it. */
export interface LogGroup {
  readonly name: string
  readonly createdAtMs: number
  /** Lines older than this many days are deleted; null: what the engine keeps anyway. */
  readonly retentionDays: number | null
  readonly tags: Readonly<Record<string, string>>
}

interface LogGroupRow {
  account: string
  region: string
  name: string
  created_at_ms: number
  retention_days: number | null
  tags_json: string
}

const MAX_GROUPS = 100_000
const DAY_MS = 86_400_000

/** Log groups by name. What was made, and what functions write to, look alike from outside. */
export class LogGroups {
  readonly #store: Pick<Store, 'commit'>
  readonly #journal: Pick<Journal, 'streams' | 'forget'>
  readonly #clock: Clock
  readonly #made = new Map<string, { scope: Scope; group: LogGroup }>()

  constructor(options: {
    store: Pick<Store, 'commit' | 'reader'>
    journal: Pick<Journal, 'streams' | 'forget'>
    clock: Clock
  }) {
    this.#store = options.store
    this.#journal = options.journal
    this.#clock = options.clock
    // the cast: the columns of the table above
    const rows = options.store.reader.prepare('SELECT * FROM log_groups').all() as LogGroupRow[]
    for (const row of rows) {
      const scope = { account: row.account, region: row.region }
      const tags = JSON.parse(row.tags_json) as Record<string, string> // what was stringified below
      this.#made.set(keyOf(scope, row.name), {
        scope,
        group: {
          name: row.name,
          createdAtMs: row.created_at_ms,
          retentionDays: row.retention_days,
          tags,
        },
      })
    }
  }

  /** All groups, by name, with the bytes stored in each. */
  async list(scope: Scope): Promise<(LogGroup & { storedBytes: number })[]> {
    const groups = new Map<string, LogGroup & { storedBytes: number }>()
    for (const made of this.#made.values())
      if (made.scope.account === scope.account && made.scope.region === scope.region)
        groups.set(made.group.name, { ...made.group, storedBytes: 0 })
    for (const stream of await this.#journal.streams({ scope })) {
      const known = groups.get(stream.group) ?? {
        ...implied(stream.group, stream.firstTimeMs),
        storedBytes: 0,
      }
      const createdAtMs = Math.min(known.createdAtMs, stream.firstTimeMs)
      const storedBytes = known.storedBytes + stream.sizeBytes
      groups.set(stream.group, { ...known, createdAtMs, storedBytes })
    }
    return [...groups.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Undefined when nobody made it and nothing was written to it. */
  async find(scope: Scope, name: string): Promise<LogGroup | undefined> {
    const made = this.#made.get(keyOf(scope, name))
    if (made !== undefined) return made.group
    const streams = await this.#journal.streams({ scope, group: name })
    if (streams.length === 0) return undefined
    return implied(name, Math.min(...streams.map(({ firstTimeMs }) => firstTimeMs)))
  }

  /** Rejects 'already-exists'. */
  async create(scope: Scope, name: string, tags: Readonly<Record<string, string>>): Promise<void> {
    if ((await this.find(scope, name)) !== undefined)
      throw new EngineError('already-exists', 'The specified log group already exists')
    if (this.#made.size >= MAX_GROUPS) throw new EngineError('throttled', 'There are too many log groups.')
    await this.#put(scope, { ...implied(name, this.#clock.nowMs()), tags })
  }

  /** Changes what is kept about a group. Rejects 'not-found'. */
  async update(
    scope: Scope,
    name: string,
    change: (group: LogGroup) => Partial<Pick<LogGroup, 'retentionDays' | 'tags'>>,
  ): Promise<void> {
    const group = await this.find(scope, name)
    if (group === undefined) throw noGroup()
    await this.#put(scope, { ...group, ...change(group) })
  }

  /** Deletes a group and its lines; a function that goes on writing begins it anew. Rejects 'not-found'. */
  async delete(scope: Scope, name: string): Promise<void> {
    if ((await this.find(scope, name)) === undefined) throw noGroup()
    await this.#store.commit([['deleteLogGroup', scope.account, scope.region, name]])
    this.#made.delete(keyOf(scope, name))
    await this.#journal.forget({ scope, group: name }, Number.MAX_SAFE_INTEGER)
  }

  /** Deletes what groups with a retention of their own need no longer keep. */
  async applyRetention(): Promise<void> {
    for (const { scope, group } of this.#made.values()) {
      if (group.retentionDays === null) continue
      await this.#journal.forget(
        { scope, group: group.name },
        this.#clock.nowMs() - group.retentionDays * DAY_MS,
      )
    }
  }

  async #put(scope: Scope, group: LogGroup): Promise<void> {
    const change: Change = [
      'putLogGroup',
      scope.account,
      scope.region,
      group.name,
      group.createdAtMs,
      group.retentionDays,
      JSON.stringify(group.tags),
    ]
    await this.#store.commit([change])
    this.#made.set(keyOf(scope, group.name), { scope, group })
  }
}

const keyOf = (scope: Scope, name: string): string => `${scope.account}/${scope.region}/${name}`

const implied = (name: string, createdAtMs: number): LogGroup => ({
  name,
  createdAtMs,
  retentionDays: null,
  tags: {},
})

const noGroup = (): EngineError => new EngineError('not-found', 'The specified log group does not exist.')
