import { EngineError } from '../errors.ts'
import {
  arnOf,
  LATEST,
  withEntry,
  type AliasRecord,
  type Edit,
  type FunctionRecord,
} from './function-record.ts'
import { withoutQualifier } from './provisioned.ts'
import { deleteAlias as deleteAliasRow, putAlias } from './rows.ts'
import type { Making } from './running.ts'
import { checkRevision } from './versions.ts'

/** An alias to be made. */
export interface NewAlias {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly weights: Readonly<Record<string, number>>
}

/** A change of an alias; members that are absent stay as they are. */
export interface AliasUpdate {
  readonly version?: string
  readonly description?: string
  readonly weights?: Readonly<Record<string, number>>
  readonly revisionId?: string
}

/** Throws EngineError 'not-found' for the version, 'already-exists' for the name, 'invalid' for weights. */
export function createAlias(record: FunctionRecord, input: NewAlias, making: Making): Edit<AliasRecord> {
  checkTargets(record, input.version, input.weights)
  if (record.aliases.has(input.name))
    throw new EngineError('already-exists', `Alias already exists: ${arnOf(record, input.name)}`)
  return put(record, { ...input, revisionId: making.newId() })
}

/** Throws EngineError 'not-found', 'precondition-failed', 'invalid'. */
export function updateAlias(
  record: FunctionRecord,
  name: string,
  update: AliasUpdate,
  making: Making,
): Edit<AliasRecord> {
  const before = record.aliases.get(name)
  if (before === undefined) throw new EngineError('not-found', `Alias not found: ${arnOf(record, name)}`)
  checkRevision(before.revisionId, update.revisionId)
  const after: AliasRecord = {
    name,
    version: update.version ?? before.version,
    description: update.description ?? before.description,
    weights: update.weights ?? before.weights,
    revisionId: making.newId(),
  }
  checkTargets(record, after.version, after.weights)
  return put(record, after)
}

/** Removing what is not there is no error. */
export function deleteAlias(record: FunctionRecord, name: string): Edit<undefined> {
  const { kept, changes } = withoutQualifier(record, name)
  return {
    changes: record.aliases.has(name) ? [deleteAliasRow(record.functionId, name), ...changes] : [],
    record: { ...record, ...kept, aliases: withEntry(record.aliases, name, undefined) },
    events: [],
    result: undefined,
  }
}

/** Throws EngineError 'not-found'. */
export function aliasNamed(record: FunctionRecord, name: string): AliasRecord {
  const alias = record.aliases.get(name)
  if (alias === undefined) throw new EngineError('not-found', `Cannot find alias arn: ${arnOf(record, name)}`)
  return alias
}

const put = (record: FunctionRecord, alias: AliasRecord): Edit<AliasRecord> => ({
  changes: [putAlias(record.functionId, alias)],
  record: { ...record, aliases: withEntry(record.aliases, alias.name, alias) },
  events: [],
  result: alias,
})

function checkTargets(
  record: FunctionRecord,
  version: string,
  weights: Readonly<Record<string, number>>,
): void {
  const others = Object.keys(weights)
  if (others.length > 1)
    throw new EngineError('invalid', 'Number of items in AdditionalVersionWeights cannot be greater than 1')
  if (others.length > 0 && version === LATEST)
    throw new EngineError('invalid', '$LATEST is not supported for an alias pointing to more than 1 version')
  if (others.includes(version))
    throw new EngineError(
      'invalid',
      `Invalid function version ${version}. Function version ${version} is already included in routing configuration.`,
    )
  for (const target of [version, ...others])
    if (!record.versions.has(target))
      throw new EngineError('not-found', `Function not found: ${arnOf(record, target)}`)
}
