import { EngineError } from '../errors.ts'
import type { Scope } from '../store/journal.ts'
import {
  arnOf,
  functionArn,
  isAliasName,
  LATEST,
  LATEST_PUBLISHED,
  type FunctionRecord,
} from './function-record.ts'
import { isDeactivated } from './scaling.ts'
import type { FunctionVersion, Target } from './types.ts'

/** What a qualifier leads to: one target, or two that share requests. */
export interface Route {
  readonly main: Target
  readonly other: Target | undefined
  /** Share of requests, 0 to 1, that `other` gets. */
  readonly share: number
}

/** Why nothing is found: the text names the version that would have run. */
export const functionNotFound = (
  scope: Scope,
  functionName: string,
  qualifier: string | undefined,
): EngineError =>
  new EngineError('not-found', `Function not found: ${functionArn(scope, functionName, qualifier ?? LATEST)}`)

/**
 * Where a qualifier of this function leads at this moment; undefined is `$LATEST` without a qualifier in its
 * ARN.
 *
 * Throws EngineError 'not-found', or 'conflict' with detail 'pending', 'updating' or 'failed'.
 */
export function routeOf(record: FunctionRecord, qualifier: string | undefined): Route {
  const alias = qualifier === undefined ? undefined : record.aliases.get(qualifier)
  if (alias === undefined) {
    const runs = runsNow(record, qualifier ?? unqualified(record))
    return { main: targetOf(record, runs, qualifier), other: undefined, share: 0 }
  }
  const main = targetOf(record, runsNow(record, alias.version), qualifier)
  const [weighted] = Object.entries(alias.weights)
  if (weighted === undefined) return { main, other: undefined, share: 0 }
  return { main, other: targetOf(record, runsNow(record, weighted[0]), qualifier), share: weighted[1] }
}

const targetOf = (
  record: FunctionRecord,
  version: FunctionVersion,
  qualifier: string | undefined,
): Target => ({
  version,
  limits: record.limits,
  share: record.limits.provisioned?.get(version.version),
  invokedArn: arnOf(record, qualifier),
  executedVersion: version.version,
  qualifier: qualifier ?? LATEST,
})

/** What runs where nothing is asked for by name. */
const unqualified = (record: FunctionRecord): string =>
  record.versions.has(LATEST_PUBLISHED) ? LATEST_PUBLISHED : LATEST

/** Throws EngineError 'invalid' for an unqualified call of a function in a provider that never published. */
export function checkPublished({ version }: Target): void {
  if (version.version !== LATEST || version.execution.provider === undefined) return
  throw new EngineError('invalid', 'The function has no published versions available.', {
    detail: 'no-published-version',
    hint: 'Publish a version of it.',
  })
}

function runsNow(record: FunctionRecord, version: string): FunctionVersion {
  const found = record.versions.get(version)
  if (found === undefined)
    throw new EngineError(
      'not-found',
      isAliasName(version)
        ? `Cannot find alias arn: ${arnOf(record, version)}`
        : `Function not found: ${arnOf(record, version)}`,
    )
  const cannot = 'The operation cannot be performed at this time.'
  const state = `${cannot} The function is currently in the following state:`
  if (isDeactivated(record, version))
    throw new EngineError('conflict', `${state} Deactivated`, { detail: 'inactive' })
  if (found.serving !== undefined) return found.serving
  if (found.update.kind === 'in-progress')
    throw new EngineError('conflict', `${cannot} An update is in progress for resource: ${arnOf(record)}`, {
      detail: 'updating',
    })
  if (found.state.kind === 'pending')
    throw new EngineError('conflict', `${state} Pending`, { detail: 'pending' })
  if (found.state.kind === 'failed')
    throw new EngineError('conflict', `${state} Failed`, { detail: 'failed', hint: found.state.reason })
  if (found.update.kind === 'failed')
    throw new EngineError('conflict', `${cannot} The last update of ${arnOf(record)} failed.`, {
      detail: 'failed',
      hint: found.update.reason,
    })
  return found.runnable
}

/** Whether some version still waits for its preparation. */
export const isUnsettled = (record: FunctionRecord): boolean => {
  for (const version of record.versions.values()) if (version.preparing !== 0) return true
  return false
}
