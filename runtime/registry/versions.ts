import { EngineError } from '../errors.ts'
import type { Scope } from '../store/journal.ts'
import type { Change } from '../store/store.ts'
import {
  functionArn,
  LATEST,
  withEntry,
  type Edit,
  type FunctionRecord,
  type FunctionSettings,
  type UpdateState,
  type VersionRecord,
  type VersionState,
} from './function-record.ts'
import {
  deleteFunction,
  deleteVersion as deleteVersionRow,
  putAttachment,
  putFunction,
  putVersion,
} from './rows.ts'
import { checkTagCount } from './rules.ts'
import { withoutQualifier } from './provisioned.ts'
import { checkRun, type Making } from './running.ts'
import { addVersion, newVersion, publish, retired, type PublishTo } from './published.ts'
import type { CodePackage, RegistryEvent } from './types.ts'

/** A function to be made. */
export interface NewFunction {
  readonly settings: FunctionSettings
  readonly codePackage: CodePackage
  readonly tags: Readonly<Record<string, string>>
  readonly publish: PublishTo
  /** What adapters hang on it from the beginning. */
  readonly attachments?: Readonly<Record<string, unknown>>
}

/** A change of what runs. Members that are absent stay as they are. */
export interface Update {
  readonly settings?: FunctionSettings
  readonly codePackage?: CodePackage
  readonly publish?: PublishTo
  /** The change applies only to this revision. */
  readonly revisionId?: string
  /** Checks everything and changes nothing. */
  readonly dryRun?: boolean
}

/** What a version is published with; `revisionId` is the revision of `$LATEST` it is meant for. */
export interface Publication {
  readonly description?: string
  readonly to?: PublishTo
  /** base64 of the hash the code must have. */
  readonly codeSha256?: string
  readonly revisionId?: string
}

/**
 * Makes a function whose `$LATEST`, and version 1 if asked for, wait for preparation. Gives the version asked
 * for.
 */
export function createFunction(
  scope: Scope,
  functionName: string,
  input: NewFunction,
  making: Making,
): Edit<VersionRecord> {
  checkTagCount(input.tags)
  const functionId = making.newId()
  const empty: FunctionRecord = {
    functionId,
    scope,
    functionName,
    createdAtMs: making.nowMs,
    tags: input.tags,
    lastVersion: 0,
    lastGeneration: 1,
    recursion: 'terminate',
    reservedConcurrency: null,
    limits: { functionId, reservedConcurrency: null, inFlight: 0 },
    versions: new Map(),
    aliases: new Map(),
    policies: new Map(),
    urls: new Map(),
    eventSettings: new Map(),
    attachments: new Map(Object.entries(input.attachments ?? {})),
    provisioned: new Map(),
    scaling: new Map(),
  }
  const latest = newVersion(empty, LATEST, 1, input.settings, input.codePackage, making)
  const record = { ...empty, versions: new Map([[LATEST, latest]]) }
  checkRun(latest, making, input.tags)
  if (!input.publish)
    return {
      changes: [putFunction(record), putVersion(functionId, latest), ...attached(record)],
      record,
      events: [],
      result: latest,
    }
  const published = addVersion(record, latest, undefined, input.publish, making)
  return {
    changes: [
      putFunction(published.record),
      putVersion(functionId, latest),
      putVersion(functionId, published.version),
      ...attached(record),
    ],
    record: published.record,
    events: [],
    result: published.version,
  }
}

/** Changes code or settings of `$LATEST`. Gives the version that was published, or `$LATEST`. */
export function updateLatest(record: FunctionRecord, update: Update, making: Making): Edit<VersionRecord> {
  const before = latestOf(record)
  checkRevision(before.revisionId, update.revisionId)
  checkUnchanging(record)
  const generation = record.lastGeneration + 1
  const settings = update.settings ?? before.settings
  const codePackage = update.codePackage ?? before.codePackage
  const made = newVersion(record, LATEST, generation, settings, codePackage, making)
  checkRun(made, making, record.tags)
  const active = before.state.kind === 'active'
  const runsNow = before.serving ?? (active && before.update.kind !== 'failed' ? before.runnable : undefined)
  const latest: VersionRecord = {
    ...made,
    state: before.state,
    update: { kind: 'in-progress' },
    serving: making.limits === 'strict' ? runsNow : undefined,
  }
  if (update.dryRun === true) return { changes: [], record, events: [], result: before }
  const events: RegistryEvent[] =
    latest.serving === undefined ? [{ kind: 'version-retired', key: before.runnable.key }] : []
  const next: FunctionRecord = {
    ...record,
    lastGeneration: generation,
    versions: withEntry(record.versions, LATEST, latest),
  }
  const { publish: to = false } = update
  const published = to === false ? undefined : publish(next, latest, undefined, to, making)
  const after = published?.record ?? next
  return {
    changes: [
      putFunction(after),
      putVersion(record.functionId, latestOf(after)),
      ...(published?.added === true ? [putVersion(record.functionId, published.version)] : []),
    ],
    record: after,
    events: [...events, ...(published?.events ?? [])],
    result: published?.version ?? latest,
  }
}

/** Snapshots `$LATEST` under the next number; an unchanged function gives the version it already has. */
export function publishVersion(
  record: FunctionRecord,
  publication: Publication,
  making: Making,
): Edit<VersionRecord> {
  const latest = latestOf(record)
  checkRevision(latest.revisionId, publication.revisionId)
  checkUnchanging(record)
  const sha256 = latest.codePackage.sha256
  if (
    publication.codeSha256 !== undefined &&
    publication.codeSha256 !== '' &&
    publication.codeSha256 !== sha256
  )
    throw new EngineError(
      'invalid',
      `CodeSHA256 (${publication.codeSha256}) is different from current CodeSHA256 in $LATEST (${sha256}). ` +
        'Please try again with the CodeSHA256 in $LATEST.',
    )
  const { description, to = true } = publication
  const { record: next, version, added, events } = publish(record, latest, description, to, making)
  if (!added) return { changes: [], record, events: [], result: version }
  return {
    changes: [
      putFunction(next),
      putVersion(record.functionId, latestOf(next)),
      putVersion(record.functionId, version),
    ],
    record: next,
    events,
    result: version,
  }
}

/** Removes the whole function. */
export function removeFunction(record: FunctionRecord): Edit<undefined> {
  return {
    changes: deleteFunction(record.functionId),
    record: undefined,
    events: [...record.versions.values()].flatMap(retired),
    result: undefined,
  }
}

/** Removes one published version; one that is not there is removed already. */
export function removeVersion(record: FunctionRecord, version: string): Edit<undefined> {
  const found = record.versions.get(version)
  if (found === undefined || version === LATEST) return { changes: [], record, events: [], result: undefined }
  const names = [...record.aliases.values()]
    .filter((alias) => alias.version === version || alias.weights[version] !== undefined)
    .map((alias) => alias.name)
  if (names.length > 0)
    throw new EngineError(
      'conflict',
      `Unable to delete version because the following aliases reference it: [${names.join(', ')}]`,
    )
  const gone = [...record.attachments.keys()].filter((name) => name.endsWith(`:${version}`))
  const { kept, changes } = withoutQualifier(record, version)
  return {
    changes: [
      deleteVersionRow(record.functionId, version),
      ...changes,
      ...gone.map((name) => putAttachment(record.functionId, name, undefined)),
    ],
    record: {
      ...record,
      ...kept,
      versions: withEntry(record.versions, version, undefined),
      attachments: new Map([...record.attachments].filter(([name]) => !gone.includes(name))),
    },
    events: retired(found),
    result: undefined,
  }
}

/**
 * Preparation of one version has ended; `failure` says why it did not succeed. Undefined when the version was
 * removed or changed meanwhile, so that nothing is left to do.
 */
export function settleVersion(
  record: FunctionRecord,
  version: string,
  preparing: number,
  failure: string | undefined,
  making: Making,
): Edit<undefined> | undefined {
  const before = record.versions.get(version)
  if (before === undefined || before.preparing !== preparing) return undefined
  const updating = before.update.kind === 'in-progress'
  const update: UpdateState =
    failure === undefined ? { kind: 'successful' } : { kind: 'failed', reason: failure }
  const failed: VersionState = updating ? before.state : { kind: 'failed', reason: failure ?? '' }
  const after: VersionRecord = {
    ...before,
    state: failure === undefined ? { kind: 'active' } : failed,
    update,
    serving: failure === undefined ? undefined : before.serving,
    preparing: 0,
    revisionId: making.newId(),
  }
  const old = failure === undefined ? before.serving : undefined
  return {
    changes: [putVersion(record.functionId, after)],
    record: { ...record, versions: withEntry(record.versions, version, after) },
    events: [
      ...(old === undefined ? [] : [{ kind: 'version-retired', key: old.key } as const]),
      ...(failure === undefined ? [{ kind: 'version-ready', version: after.runnable } as const] : []),
    ],
    result: undefined,
  }
}

/** Throws EngineError 'precondition-failed' when a caller changes something that is not what it last saw. */
export function checkRevision(
  current: string | undefined,
  expected: string | undefined,
  call = 'GetFunction/GetAlias',
): void {
  if (expected === undefined || expected === current) return
  throw new EngineError(
    'precondition-failed',
    `The Revision Id provided does not match the latest Revision Id. Call the ${call} API to retrieve the latest Revision Id`,
  )
}

/** `$LATEST`, which every function has. */
export function latestOf(record: FunctionRecord): VersionRecord {
  const latest = record.versions.get(LATEST)
  if (latest === undefined)
    throw new EngineError('internal', `Function ${record.functionName} has no $LATEST.`)
  return latest
}

function checkUnchanging(record: FunctionRecord): void {
  const latest = latestOf(record)
  const cannot = 'The operation cannot be performed at this time.'
  if (latest.update.kind === 'in-progress')
    throw new EngineError(
      'conflict',
      `${cannot} An update is in progress for resource: ${functionArn(record.scope, record.functionName)}`,
      { detail: 'updating' },
    )
  if (latest.state.kind === 'pending')
    throw new EngineError('conflict', `${cannot} The function is currently in the following state: Pending`, {
      detail: 'pending',
    })
}

const attached = (record: FunctionRecord): Change[] =>
  [...record.attachments].map(([name, value]) => putAttachment(record.functionId, name, value))
