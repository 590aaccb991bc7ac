import { EngineError } from '../errors.ts'
import { LATEST, type Edit, type FunctionRecord, type VersionRecord } from './function-record.ts'
import { putFunction, putVersion } from './rows.ts'
import { checkTagCount } from './rules.ts'
import { readTags, runSettings } from './settings.ts'
import type { FunctionVersion, NetworkAccess, RegistryEvent } from './types.ts'

/** What making records needs from outside. */
export interface Making {
  readonly nowMs: number
  newId(): string
  readonly limits: 'extended' | 'strict'
  /** Network access of functions that do not ask for any. */
  readonly network: NetworkAccess
  /** Where the files of a layer's package lie. */
  layerDirectory(packageId: string): string
  /** Why no nodes could ever hold what a version asks for so many times; undefined when they could. */
  feasible(version: FunctionVersion, times?: number): string | undefined
}

/** The one tag that changes nothing about how a version runs, only how often it waits. */
const KEPT = 'lambent:provisioned'

/** Replaces the tags; versions that run differently under them get environments of their own. */
export function retag(
  record: FunctionRecord,
  tags: Readonly<Record<string, string>>,
  making: Making,
): Edit<undefined> {
  checkTagCount(tags)
  let generation = record.lastGeneration
  const versions = new Map<string, VersionRecord>()
  const events: RegistryEvent[] = []
  for (const before of record.versions.values()) {
    const runnable = runnableOf({ ...record, tags }, before, generation + 1, making)
    const revisionId = before.version === LATEST ? making.newId() : before.revisionId
    if (sameRun(before.runnable, runnable)) {
      if (tags[KEPT] !== record.tags[KEPT]) checkRun(before, making, tags)
      versions.set(before.version, { ...before, revisionId })
      continue
    }
    generation += 1
    const after = { ...before, revisionId, runnable }
    checkRun(after, making, tags)
    versions.set(before.version, after)
    events.push({ kind: 'version-retired', key: before.runnable.key })
    if (before.preparing === 0 && before.state.kind === 'active')
      events.push({ kind: 'version-ready', version: runnable })
  }
  const after = { ...record, tags, versions, lastGeneration: generation }
  const changed = [...versions.values()].filter((version) => record.versions.get(version.version) !== version)
  return {
    changes: [putFunction(after), ...changed.map((version) => putVersion(record.functionId, version))],
    record: after,
    events,
    result: undefined,
  }
}

/** What a version runs as, made anew from its code, its settings and its function's tags. */
export function runnableOf(
  record: FunctionRecord,
  version: Pick<VersionRecord, 'version' | 'settings' | 'codePackage'>,
  generation: number,
  making: Pick<Making, 'network' | 'layerDirectory'>,
): FunctionVersion {
  const { settings } = version
  const run = runSettings(settings, readTags(record.tags), making.network)
  return {
    key: `${record.functionId}:${version.version}:${generation}`,
    functionId: record.functionId,
    scope: record.scope,
    functionName: record.functionName,
    version: version.version,
    runtime: settings.runtime,
    handler: settings.handler,
    timeoutMs: run.timeoutMs,
    memoryMb: run.memoryMb,
    memoryLimitMb: run.memoryLimitMb,
    ephemeralMb: settings.ephemeralMb,
    environment: settings.variables ?? {},
    codePackage: version.codePackage,
    layerDirectories: settings.layers.map((layer) => making.layerDirectory(layer.packageId)),
    logging: settings.logging,
    execution: run.execution,
    ...(settings.perTenant === true ? { perTenant: true } : {}),
  }
}

/**
 * Throws EngineError 'infeasible' when no node could ever hold what a version asks for, or not as often as
 * its function's tags want it kept ready.
 */
export function checkRun(version: VersionRecord, making: Making, tags: FunctionRecord['tags']): void {
  const kept = version.version === LATEST ? (readTags(tags).provisioned ?? 0) : 0
  const missing = making.feasible(version.runnable, Math.max(1, kept))
  if (missing !== undefined)
    throw new EngineError('infeasible', `No node could ever run ${version.runnable.functionName}: ${missing}`)
}

/** Whether environments of `left` may go on serving as `right`: everything but the key is equal. */
const sameRun = (left: FunctionVersion, right: FunctionVersion): boolean =>
  JSON.stringify({ ...left, key: '' }) === JSON.stringify({ ...right, key: '' })
