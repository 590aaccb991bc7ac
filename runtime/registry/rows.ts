import type { AttachmentRow, attachmentStatements } from '../store/attachments.ts'
import type {
  AliasRow,
  EventSettingsRow,
  FunctionRow,
  PolicyRow,
  UrlRow,
  VersionRow,
  functionStatements,
} from '../store/functions.ts'
import type { Change, SqlValue } from '../store/store.ts'
import type {
  AliasRecord,
  EventSettings,
  FunctionRecord,
  FunctionSettings,
  PolicyRecord,
  UpdateState,
  UrlRecord,
  VersionRecord,
  VersionState,
} from './function-record.ts'

/**
 * Between the registry's records and their rows. JSON columns hold our own records, written by this file
 * alone.
 */

type Statement = keyof typeof functionStatements | keyof typeof attachmentStatements

const change = (statement: Statement, ...parameters: SqlValue[]): Change => [statement, ...parameters]

/** Writes what belongs to the function as a whole. */
export const putFunction = (record: FunctionRecord): Change =>
  change(
    'putFunction',
    record.functionId,
    record.scope.account,
    record.scope.region,
    record.functionName,
    JSON.stringify(record.tags),
    record.reservedConcurrency,
    record.lastVersion,
    record.lastGeneration,
    record.recursion,
    record.createdAtMs,
  )

/** Removes a function and all that belongs to it. */
export const deleteFunction = (functionId: string): Change[] => [
  change('deleteFunction', functionId),
  change('deleteVersions', functionId),
  change('deleteAliases', functionId),
  change('deletePolicies', functionId),
  change('deleteUrls', functionId),
  change('deleteAllEventSettings', functionId),
  change('deleteAttachments', functionId),
  ['deleteAllProvisioned', functionId],
  ['deleteAllScaling', functionId],
]

/** Writes a version. */
export const putVersion = (functionId: string, record: VersionRecord): Change =>
  change(
    'putVersion',
    functionId,
    record.version,
    generationOf(record),
    record.revisionId,
    record.modifiedAtMs,
    record.codePackage.id,
    record.codePackage.sha256,
    record.codePackage.sizeBytes,
    JSON.stringify(record.settings),
    record.fingerprint,
    record.state.kind,
    record.state.kind === 'failed' ? record.state.reason : null,
    record.update.kind,
    record.update.kind === 'failed' ? record.update.reason : null,
  )

/** Removes a version. */
export const deleteVersion = (functionId: string, version: string): Change =>
  change('deleteVersion', functionId, version)

/** Writes an alias. */
export const putAlias = (functionId: string, alias: AliasRecord): Change =>
  change(
    'putAlias',
    functionId,
    alias.name,
    alias.version,
    alias.description,
    JSON.stringify(alias.weights),
    alias.revisionId,
  )

/** Removes an alias. */
export const deleteAlias = (functionId: string, name: string): Change =>
  change('deleteAlias', functionId, name)

/** Writes the policy of a qualifier. */
export const putPolicy = (functionId: string, qualifier: string, policy: PolicyRecord): Change =>
  change('putPolicy', functionId, qualifier, policy.revisionId, policyJson(policy))

/** Removes the policy of a qualifier. */
export const deletePolicy = (functionId: string, qualifier: string): Change =>
  change('deletePolicy', functionId, qualifier)

/** Writes a function URL. */
export const putUrl = (functionId: string, url: UrlRecord): Change =>
  change(
    'putUrl',
    url.urlId,
    functionId,
    url.qualifier,
    url.auth,
    url.invokeMode,
    url.cors === null ? null : JSON.stringify(url.cors),
    url.createdAtMs,
    url.modifiedAtMs,
  )

/** Removes a function URL. */
export const deleteUrl = (urlId: string): Change => change('deleteUrl', urlId)

/** Writes how events of a qualifier are handled. */
export const putEventSettings = (functionId: string, qualifier: string, settings: EventSettings): Change =>
  change(
    'putEventSettings',
    functionId,
    qualifier,
    settings.maxRetries,
    settings.maxAgeMs,
    settings.onSuccess,
    settings.onFailure,
    settings.modifiedAtMs,
  )

/** Removes how events of a qualifier are handled. */
export const deleteEventSettings = (functionId: string, qualifier: string): Change =>
  change('deleteEventSettings', functionId, qualifier)

/** Writes what an adapter hangs on a function; undefined removes it. */
export const putAttachment = (functionId: string, name: string, value: unknown): Change =>
  value === undefined
    ? change('deleteAttachment', functionId, name)
    : change('putAttachment', functionId, name, JSON.stringify(value))

/** Statements alone, or the whole document where there was one. */
export const policyJson = ({ frame, statements }: PolicyRecord): string =>
  JSON.stringify(frame === undefined ? statements : { frame, statements })

/** The generation at the end of a version's key. */
export const generationOf = (record: VersionRecord): number =>
  Number(record.runnable.key.slice(record.runnable.key.lastIndexOf(':') + 1))

// Every cast below reads back what the writers above stored.

/** The tags of a function's row. */
export const tagsOf = (row: FunctionRow): Record<string, string> =>
  JSON.parse(row.tags_json) as Record<string, string>

/** The settings of a version's row. */
export const settingsOf = (row: VersionRow): FunctionSettings => {
  const stored = JSON.parse(row.settings_json) as FunctionSettings
  const { variables, deadLetterTarget, image } = stored
  // JSON drops members that are undefined, and settings of earlier engines lack layers
  return { ...stored, variables, deadLetterTarget, image, layers: stored.layers ?? [] }
}

/** The state of a version's row. */
export const stateOf = (row: VersionRow): VersionState =>
  row.state === 'failed'
    ? { kind: 'failed', reason: row.state_reason ?? '' }
    : { kind: row.state as 'pending' | 'active' }

/** How the last change of a version's row went. */
export const updateOf = (row: VersionRow): UpdateState =>
  row.update_status === 'failed'
    ? { kind: 'failed', reason: row.update_reason ?? '' }
    : { kind: (row.update_status ?? 'none') as 'none' | 'in-progress' | 'successful' }

/** The alias of a row. */
export const aliasOf = (row: AliasRow): AliasRecord => ({
  name: row.name,
  version: row.version,
  description: row.description,
  weights: JSON.parse(row.weights_json) as Record<string, number>,
  revisionId: row.revision_id,
})

/** The policy of a row. */
export const policyOf = (row: Pick<PolicyRow, 'revision_id' | 'statements_json'>): PolicyRecord => {
  const stored = JSON.parse(row.statements_json) as
    PolicyRecord['statements'] | Pick<PolicyRecord, 'frame' | 'statements'>
  return { revisionId: row.revision_id, ...('statements' in stored ? stored : { statements: stored }) }
}

/** The function URL of a row. */
export const urlOf = (row: UrlRow): UrlRecord => ({
  urlId: row.url_id,
  qualifier: row.qualifier,
  auth: row.auth as UrlRecord['auth'],
  invokeMode: row.invoke_mode as UrlRecord['invokeMode'],
  cors: row.cors_json === null ? null : (JSON.parse(row.cors_json) as UrlRecord['cors']),
  createdAtMs: row.created_at_ms,
  modifiedAtMs: row.modified_at_ms,
})

/** What an adapter has hung on a function. */
export const attachmentOf = (row: AttachmentRow): unknown => JSON.parse(row.value_json)

/** The event settings of a row. */
export const eventSettingsOf = (row: EventSettingsRow): EventSettings => ({
  maxRetries: row.max_retries,
  maxAgeMs: row.max_age_ms,
  onSuccess: row.on_success,
  onFailure: row.on_failure,
  modifiedAtMs: row.modified_at_ms,
})
