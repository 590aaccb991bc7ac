import type { Database } from 'better-sqlite3'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import { readProvisioned, readScaling } from '../store/capacity.ts'
import { readFunctionRows, type FunctionRow, type FunctionRows, type VersionRow } from '../store/functions.ts'
import {
  imagePackage,
  type FunctionRecord,
  type FunctionSettings,
  type VersionRecord,
} from './function-record.ts'
import type { CodePackages } from './packages.ts'
import {
  aliasOf,
  attachmentOf,
  eventSettingsOf,
  policyOf,
  settingsOf,
  stateOf,
  tagsOf,
  updateOf,
  urlOf,
} from './rows.ts'
import type { CodePackage, NetworkAccess } from './types.ts'
import { runnableOf } from './running.ts'

/** Packages that are read at once when the engine starts. */
const READERS = 8

/**
 * All functions as they were when the last change was committed. A version whose code package is gone or
 * damaged is there, but failed, and says why; what was being prepared is to be prepared again.
 */
export async function loadFunctions(parts: {
  reader: Database
  packages: Pick<CodePackages, 'get' | 'directoryOf'>
  network: NetworkAccess
  log: Log
}): Promise<FunctionRecord[]> {
  const making = { network: parts.network, layerDirectory: (id: string) => parts.packages.directoryOf(id) }
  const rows = readFunctionRows(parts.reader)
  const packages = await readPackages(rows.versions, parts.packages, parts.log)
  const byFunction = groupRows(rows)
  const capacity = readCapacity(parts.reader)
  return rows.functions.map((row) => {
    const own = byFunction.get(row.function_id) ?? emptyRows()
    const bare = { ...recordOf(row, own), ...capacity(row.function_id) }
    const versions = own.versions.map((version): [string, VersionRecord] => [
      version.version,
      versionOf(bare, version, packages, making),
    ])
    return { ...bare, versions: new Map(versions) }
  })
}

const recordOf = (row: FunctionRow, own: FunctionRows): FunctionRecord => ({
  functionId: row.function_id,
  scope: { account: row.account, region: row.region },
  functionName: row.name,
  createdAtMs: row.created_at_ms,
  tags: tagsOf(row),
  lastVersion: row.last_version,
  lastGeneration: row.last_generation,
  recursion: row.recursion === 'allow' ? 'allow' : 'terminate',
  reservedConcurrency: row.reserved_concurrency,
  limits: { functionId: row.function_id, reservedConcurrency: row.reserved_concurrency, inFlight: 0 },
  versions: new Map(),
  aliases: new Map(own.aliases.map((alias) => [alias.name, aliasOf(alias)])),
  policies: new Map(own.policies.map((policy) => [policy.qualifier, policyOf(policy)])),
  urls: new Map(own.urls.map((url) => [url.qualifier, urlOf(url)])),
  attachments: new Map(own.attachments.map((one) => [one.name, attachmentOf(one)])),
  eventSettings: new Map(
    own.eventSettings.map((settings) => [settings.qualifier, eventSettingsOf(settings)]),
  ),
  provisioned: new Map(),
  scaling: new Map(),
})

/** What is kept ready for a function, and the bounds of its environments. */
function readCapacity(
  reader: Database,
): (functionId: string) => Pick<FunctionRecord, 'provisioned' | 'scaling'> {
  const provisioned = readProvisioned(reader)
  const scaling = readScaling(reader)
  return (functionId) => ({
    provisioned: new Map(
      provisioned
        .filter((row) => row.function_id === functionId)
        .map((row) => [row.qualifier, { requested: row.requested, modifiedAtMs: row.modified_at_ms }]),
    ),
    scaling: new Map(
      scaling
        .filter((row) => row.function_id === functionId)
        .map((row) => [
          row.qualifier,
          { minEnvironments: row.min_environments, maxEnvironments: row.max_environments },
        ]),
    ),
  })
}

function versionOf(
  record: FunctionRecord,
  row: VersionRow,
  packages: ReadonlyMap<string, CodePackage | EngineError>,
  making: Parameters<typeof runnableOf>[3],
): VersionRecord {
  const settings = settingsOf(row)
  const found = foundOf(row, settings, packages)
  const missing = found === undefined || found instanceof EngineError
  const codePackage: CodePackage = missing
    ? {
        id: row.package_id,
        sha256: row.package_sha256,
        sizeBytes: row.package_size_bytes,
        unzippedBytes: 0,
        directory: '',
        zipPath: '',
      }
    : found
  const state = missing ? ({ kind: 'failed', reason: reasonOf(found) } as const) : stateOf(row)
  const update = updateOf(row)
  const unfinished = !missing && (state.kind === 'pending' || update.kind === 'in-progress')
  return {
    version: row.version,
    settings,
    codePackage,
    revisionId: row.revision_id,
    modifiedAtMs: row.modified_at_ms,
    state,
    update: missing ? { kind: 'failed', reason: reasonOf(found) } : update,
    fingerprint: row.fingerprint,
    runnable: runnableOf(record, { version: row.version, settings, codePackage }, row.generation, making),
    serving: undefined,
    preparing: unfinished ? row.generation : 0,
  }
}

/** The version's code, or why it cannot run: its own package or one of its layers is not there. */
function foundOf(
  row: VersionRow,
  { image, layers }: FunctionSettings,
  packages: ReadonlyMap<string, CodePackage | EngineError>,
): CodePackage | EngineError | undefined {
  if (image !== undefined) return imagePackage(image)
  const own = packages.get(row.package_id)
  const wanted = layers.map((layer) => packages.get(layer.packageId))
  return wanted.includes(undefined)
    ? undefined
    : (wanted.find((one): one is EngineError => one instanceof EngineError) ?? own)
}

const reasonOf = (found: EngineError | undefined): string =>
  found === undefined ? 'Its code package is missing.' : found.message

async function readPackages(
  versions: readonly VersionRow[],
  packages: Pick<CodePackages, 'get'>,
  log: Log,
): Promise<Map<string, CodePackage | EngineError>> {
  const wanted = new Set(versions.flatMap(packagesOf)).values()
  const found = new Map<string, CodePackage | EngineError>()
  const reader = async (): Promise<void> => {
    for (const id of wanted) {
      try {
        found.set(id, await packages.get(id))
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        found.set(id, error)
        log.error('code package unreadable', { packageId: id, reason: error.message })
      }
    }
  }
  await Promise.all(Array.from({ length: READERS }, reader)) // they share one iterator
  return found
}

/** Of functions from images nothing lies here. */
function packagesOf(row: VersionRow): string[] {
  const { image, layers } = settingsOf(row)
  return [...(image === undefined ? [row.package_id] : []), ...layers.map((layer) => layer.packageId)]
}

const emptyRows = (): FunctionRows => ({
  functions: [],
  versions: [],
  aliases: [],
  policies: [],
  urls: [],
  eventSettings: [],
  attachments: [],
})

function groupRows(rows: FunctionRows): Map<string, FunctionRows> {
  const groups = new Map<string, FunctionRows>(rows.functions.map((row) => [row.function_id, emptyRows()]))
  for (const row of rows.versions) groups.get(row.function_id)?.versions.push(row)
  for (const row of rows.aliases) groups.get(row.function_id)?.aliases.push(row)
  for (const row of rows.policies) groups.get(row.function_id)?.policies.push(row)
  for (const row of rows.urls) groups.get(row.function_id)?.urls.push(row)
  for (const row of rows.eventSettings) groups.get(row.function_id)?.eventSettings.push(row)
  for (const row of rows.attachments) groups.get(row.function_id)?.attachments.push(row)
  return groups
}
