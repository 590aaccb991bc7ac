import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { Journal, Scope } from '../../runtime/store/journal.ts'
import type { LogGroups } from '../../runtime/store/log-groups.ts'
import type { Fields } from '../lambda/fields.ts'

/** What the logs API is built of. */
export interface LogsApiParts {
  readonly journal: Pick<Journal, 'page' | 'streams' | 'follow' | 'forget'>
  readonly groups: LogGroups
  readonly registry: Pick<Registry, 'list'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** Aborts when the listener stops: a live tail would otherwise hold it open. */
  readonly stopping: AbortSignal
}

/** One call, read. */
export interface LogsCall {
  readonly scope: Scope
  readonly fields: Fields
}

/** What an operation answers: an object as JSON, undefined as an empty body, or a response of its own. */
export type LogsAnswer = Readonly<Record<string, unknown>> | Response | undefined

/** Operations by name. */
export type LogsOperations = Readonly<Record<string, (call: LogsCall) => Promise<LogsAnswer> | LogsAnswer>>
