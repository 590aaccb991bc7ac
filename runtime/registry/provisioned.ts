import { EngineError } from '../errors.ts'
import type { Change } from '../store/store.ts'
import {
  arnOf,
  functionArn,
  isAliasName,
  LATEST,
  withEntry,
  type Edit,
  type FunctionRecord,
  type ProvisionedSettings,
} from './function-record.ts'
import type { Making } from './running.ts'
import { readTags } from './settings.ts'
import type { FunctionVersion, ProvisionedShare } from './types.ts'

/** Concurrency that reservations must leave for functions without one. */
export const MIN_UNRESERVED = 100

/** Sums over the functions of one account and region. */
export interface AccountUsage {
  readonly functions: number
  readonly codeBytes: number
  readonly concurrency: number
  /** What functions have to themselves, reserved or kept ready. */
  readonly reserved: number
}

/** Where a qualifier's provisioned concurrency stands. */
export interface ProvisionedStatus {
  readonly requested: number
  /** Environments that are loaded and live. */
  readonly available: number
  readonly state: 'in-progress' | 'ready' | 'failed'
  /** Why it failed; undefined when it did not. */
  readonly reason: string | undefined
  readonly modifiedAtMs: number
}

/**
 * Asks for environments of an alias or published version that are always ready.
 *
 * Throws EngineError 'not-found' for the qualifier, 'conflict' when a version would be provisioned by its
 * alias and by itself, 'invalid' for `$LATEST`, for an alias that divides requests and for more than the
 * function or the account may have, 'infeasible' for more than the machine could ever hold.
 */
export function putProvisioned(
  record: FunctionRecord,
  qualifier: string,
  requested: number,
  account: AccountUsage,
  making: Making,
): Edit<ProvisionedSettings> {
  checkProvisionable(record.scope, record.functionName, record, qualifier)
  const others = totalProvisioned(record) - (record.provisioned.get(qualifier)?.requested ?? 0)
  checkAmount(record, requested, others, account)
  checkOverlap(record, qualifier)
  checkRoom(record, qualifier, requested, making)
  const settings = { requested, modifiedAtMs: making.nowMs }
  return {
    changes: [['putProvisioned', record.functionId, qualifier, requested, making.nowMs]],
    record: { ...record, provisioned: withEntry(record.provisioned, qualifier, settings) },
    events: [],
    result: settings,
  }
}

/** Removing what is not there is no error. Throws EngineError 'not-found' for the qualifier. */
export function deleteProvisioned(record: FunctionRecord, qualifier: string): Edit<undefined> {
  checkQualified(record.scope, record.functionName, record, qualifier)
  return {
    changes: record.provisioned.has(qualifier) ? [deleteRow(record.functionId, qualifier)] : [],
    record: { ...record, provisioned: withEntry(record.provisioned, qualifier, undefined) },
    events: [],
    result: undefined,
  }
}

/** What a record and its rows look like without the settings of a qualifier that is being removed. */
export function withoutQualifier(
  { functionId, provisioned, scaling }: FunctionRecord,
  qualifier: string,
): { kept: Pick<FunctionRecord, 'provisioned' | 'scaling'>; changes: Change[] } {
  return {
    kept: {
      provisioned: withEntry(provisioned, qualifier, undefined),
      scaling: withEntry(scaling, qualifier, undefined),
    },
    changes: [
      ...(provisioned.has(qualifier) ? [deleteRow(functionId, qualifier)] : []),
      ...(scaling.has(qualifier) ? [['deleteScaling', functionId, qualifier] as const] : []),
    ],
  }
}

/** Throws EngineError 'not-found', with detail 'provisioned' when only the settings are missing. */
export function provisionedStatus(record: FunctionRecord, qualifier: string): ProvisionedStatus {
  const settings = record.provisioned.get(qualifier)
  if (settings === undefined)
    throw new EngineError('not-found', 'No Provisioned Concurrency Config found for this function', {
      detail: 'provisioned',
    })
  const { requested, modifiedAtMs } = settings
  let available = 0
  let reason: string | undefined
  for (const [version, count] of versionsOf(record, qualifier, requested)) {
    const share = record.limits.provisioned?.get(version)
    available += Math.min(count, Math.max(0, (share?.ready ?? 0) - before(record, qualifier, version)))
    reason ??= share?.failure
  }
  const failed = available < requested && reason !== undefined
  const state = available >= requested ? 'ready' : failed ? 'failed' : 'in-progress'
  return { requested, available, state, reason: failed ? reason : undefined, modifiedAtMs }
}

/**
 * Throws EngineError 'not-found' when a function has no such alias or version, 'invalid' for `$LATEST`.
 * `record` is undefined when there is no such function.
 */
export function checkQualified(
  scope: FunctionRecord['scope'],
  functionName: string,
  record: FunctionRecord | undefined,
  qualifier: string,
  refusal = 'The function resource provided must be an alias or a published version.',
): void {
  if (qualifier === LATEST) throw new EngineError('invalid', refusal)
  if (record?.versions.has(qualifier) === true || record?.aliases.has(qualifier) === true) return
  const arn = functionArn(scope, functionName, qualifier)
  throw new EngineError(
    'not-found',
    isAliasName(qualifier) ? `Cannot find alias arn: ${arn}` : `Function not found: ${arn}`,
  )
}

/** As `checkQualified`, in the words of who asks for provisioned concurrency. */
export const checkProvisionable = (
  scope: FunctionRecord['scope'],
  functionName: string,
  record: FunctionRecord | undefined,
  qualifier: string,
): void =>
  checkQualified(
    scope,
    functionName,
    record,
    qualifier,
    'Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
  )

/** What a function takes of its account: what is reserved for it, or what is kept ready for it. */
export const claimOf = (record: FunctionRecord): number =>
  record.reservedConcurrency ?? totalProvisioned(record)

/** What all qualifiers of a function ask for together. */
export function totalProvisioned(record: FunctionRecord): number {
  let total = 0
  for (const { requested } of record.provisioned.values()) total += requested
  return total
}

/**
 * Brings the function's live counts in line with its settings. Counts of a version that is still provisioned
 * are kept: invocations hold on to them.
 */
export function shareOut(record: FunctionRecord): void {
  const { limits } = record
  if (record.provisioned.size === 0) {
    limits.provisioned = undefined
    return
  }
  const counts = new Map<string, number>()
  for (const [qualifier, { requested }] of record.provisioned)
    for (const [version, count] of versionsOf(record, qualifier, requested))
      counts.set(version, (counts.get(version) ?? 0) + count)
  const shares = new Map<string, ProvisionedShare>()
  for (const [version, count] of counts) {
    const share = limits.provisioned?.get(version) ?? { count, inFlight: 0, ready: 0, failure: undefined }
    share.count = count
    shares.set(version, share)
  }
  limits.provisioned = shares
}

/** A version that can run, and how many environments shall be kept ready for it. */
export interface ReadyVersion {
  readonly version: FunctionVersion
  readonly count: number
  readonly share: ProvisionedShare | undefined
  readonly atMost?: number
}

/**
 * What shall be kept ready of a function, as far as it can run: by settings for aliases and versions, by tag
 * for `$LATEST`. Call after `shareOut`.
 */
export function provisionedWishes(record: FunctionRecord): ReadyVersion[] {
  const wishes: ReadyVersion[] = []
  const latest = record.versions.get(LATEST)
  const { provisioned: count = 0 } = readTags(record.tags)
  if (
    count > 0 &&
    latest?.settings.perTenant !== true &&
    latest?.state.kind === 'active' &&
    latest.update.kind !== 'in-progress'
  )
    wishes.push({ version: latest.runnable, count, share: undefined })
  for (const [number, share] of record.limits.provisioned ?? []) {
    const version = record.versions.get(number)
    if (version?.state.kind === 'active')
      wishes.push({ version: version.runnable, count: share.count, share })
  }
  for (const [number, { minEnvironments, maxEnvironments }] of record.scaling) {
    const version = record.versions.get(number)
    if (version?.state.kind !== 'active') continue
    const atMost = maxEnvironments === null ? {} : { atMost: maxEnvironments }
    wishes.push({ version: version.runnable, count: minEnvironments ?? 0, share: undefined, ...atMost })
  }
  return wishes
}

/** The versions that a qualifier's environments belong to: an alias that divides requests divides them. */
function versionsOf(record: FunctionRecord, qualifier: string, requested: number): [string, number][] {
  const alias = record.aliases.get(qualifier)
  if (alias === undefined) return [[qualifier, requested]]
  const [weighted] = Object.entries(alias.weights)
  const moved = weighted === undefined ? 0 : Math.round(requested * weighted[1])
  if (weighted === undefined || moved === 0) return [[alias.version, requested]]
  const both: [string, number][] = [
    [alias.version, requested - moved],
    [weighted[0], moved],
  ]
  return both.filter(([, count]) => count > 0)
}

/** Environments of `version` that count for qualifiers listed before this one. */
function before(record: FunctionRecord, qualifier: string, version: string): number {
  let total = 0
  for (const [other, { requested }] of record.provisioned) {
    if (other === qualifier) return total
    for (const [one, count] of versionsOf(record, other, requested)) if (one === version) total += count
  }
  return total
}

function checkAmount(record: FunctionRecord, requested: number, others: number, account: AccountUsage): void {
  const { reservedConcurrency } = record
  if (reservedConcurrency !== null) {
    if (others + requested > reservedConcurrency)
      throw new EngineError(
        'invalid',
        'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
      )
    return
  }
  if (requested > account.concurrency)
    throw new EngineError(
      'invalid',
      `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${account.concurrency}].`,
    )
  const elsewhere = account.reserved - claimOf(record)
  if (account.concurrency - elsewhere - others - requested < MIN_UNRESERVED)
    throw new EngineError(
      'invalid',
      "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its " +
        `minimum value of [${MIN_UNRESERVED}].`,
    )
}

/** A version is provisioned by itself or by an alias, never by both. */
function checkOverlap(record: FunctionRecord, qualifier: string): void {
  const alias = record.aliases.get(qualifier)
  if (alias === undefined) {
    const claimed = [...record.provisioned.keys()].some(
      (name) => record.aliases.get(name)?.version === qualifier,
    )
    if (claimed) throw new EngineError('conflict', 'Version is pointed by a Provisioned Concurrency alias')
    return
  }
  if (Object.keys(alias.weights).length > 0)
    throw new EngineError('invalid', 'Alias with weights can not be used with Provisioned Concurrency')
  if (record.provisioned.has(alias.version))
    throw new EngineError(
      'conflict',
      "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    )
}

/** Throws EngineError 'infeasible' when the whole machine, empty, could not hold so many. */
function checkRoom(record: FunctionRecord, qualifier: string, requested: number, making: Making): void {
  const version = record.versions.get(record.aliases.get(qualifier)?.version ?? qualifier)
  if (version === undefined) return
  if (version.settings.perTenant === true)
    throw new EngineError(
      'invalid',
      'Provisioned Concurrency is not supported for functions with tenancy configuration.',
    )
  const missing = making.feasible(version.runnable, requested)
  if (missing !== undefined)
    throw new EngineError(
      'infeasible',
      `${requested} environments of ${arnOf(record, qualifier)} can never be ready at once: ${missing}`,
    )
}

const deleteRow = (functionId: string, qualifier: string): Change => [
  'deleteProvisioned',
  functionId,
  qualifier,
]
