import { createHash } from 'node:crypto'
import { EngineError } from '../errors.ts'
import {
  LATEST,
  LATEST_PUBLISHED,
  withEntry,
  type FunctionRecord,
  type FunctionSettings,
  type VersionRecord,
} from './function-record.ts'
import { checkSettings, checkSize } from './rules.ts'
import { runnableOf, type Making } from './running.ts'
import type { CodePackage, RegistryEvent } from './types.ts'

/** Where a version goes that is published: no version at all, the next number, or the one always newest. */
export type PublishTo = false | true | typeof LATEST_PUBLISHED

/** A version that waits for its preparation. Throws EngineError 'invalid' for settings that none may have. */
export function newVersion(
  record: FunctionRecord,
  version: string,
  generation: number,
  settings: FunctionSettings,
  codePackage: CodePackage,
  making: Making,
): VersionRecord {
  checkSettings(settings)
  checkSize(settings, codePackage)
  return {
    version,
    settings,
    codePackage,
    revisionId: making.newId(),
    modifiedAtMs: making.nowMs,
    state: { kind: 'pending' },
    update: { kind: 'none' },
    fingerprint: fingerprintOf(settings, codePackage),
    runnable: runnableOf(record, { version, settings, codePackage }, generation, making),
    serving: undefined,
    preparing: generation,
  }
}

/** Order of variables does not matter: clients write them in any. */
function fingerprintOf(settings: FunctionSettings, codePackage: CodePackage): string {
  const sorted = (values: Readonly<Record<string, unknown>> | undefined): unknown =>
    values === undefined ? null : Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1))
  const { variables, kept, layers, ...rest } = settings
  const own = layers.length === 0 ? [] : [layers]
  const text = JSON.stringify([codePackage.id, rest, sorted(variables), sorted(kept), ...own])
  return createHash('sha256').update(text).digest('hex')
}

/** Snapshots `$LATEST`; unchanged since the last time, it gives that version. */
export function publish(
  record: FunctionRecord,
  latest: VersionRecord,
  description: string | undefined,
  to: PublishTo,
  making: Making,
): Added & { added: boolean } {
  const last = record.versions.get(to === LATEST_PUBLISHED ? to : String(record.lastVersion))
  if (last !== undefined && last.fingerprint === latest.fingerprint)
    return { record, version: last, added: false, events: [] }
  return { ...addVersion(record, latest, description, to, making), added: true }
}

/** A function with a version that was published. */
export interface Added {
  readonly record: FunctionRecord
  readonly version: VersionRecord
  readonly events: readonly RegistryEvent[]
}

/**
 * A published version of code that is ready is ready at once; else it waits for the same preparation, and the
 * one that it replaces serves on.
 */
export function addVersion(
  record: FunctionRecord,
  latest: VersionRecord,
  description: string | undefined,
  to: PublishTo,
  making: Making,
): Added {
  const numbered = to !== LATEST_PUBLISHED
  if (!numbered && latest.settings.capacity === undefined)
    throw new EngineError('invalid', `Only functions with a capacity provider are published to ${to}.`)
  const name = numbered ? String(record.lastVersion + 1) : to
  const before = record.versions.get(name)
  const generation = record.lastGeneration + 1
  const settings = description === undefined ? latest.settings : { ...latest.settings, description }
  const ready = latest.state.kind === 'active' && latest.update.kind === 'successful'
  const made = newVersion(record, name, generation, settings, latest.codePackage, making)
  const version: VersionRecord = {
    ...made,
    fingerprint: latest.fingerprint,
    state: ready ? { kind: 'active' } : { kind: 'pending' },
    update: ready ? { kind: 'successful' } : { kind: 'none' },
    preparing: ready ? 0 : generation,
    serving: ready || before?.state.kind !== 'active' ? undefined : (before.serving ?? before.runnable),
  }
  const old = before === undefined || version.serving !== undefined ? [] : retired(before)
  const bumped = ready ? { ...latest, revisionId: making.newId() } : latest
  return {
    record: {
      ...record,
      lastVersion: record.lastVersion + (numbered ? 1 : 0),
      lastGeneration: generation,
      versions: withEntry(withEntry(record.versions, LATEST, bumped), version.version, version),
    },
    version,
    events: ready ? [...old, { kind: 'version-ready', version: version.runnable }] : old,
  }
}

/** Tells that nothing may be handed to a version any more. */
export const retired = (version: VersionRecord): RegistryEvent[] =>
  [version.runnable, version.serving]
    .filter((runnable) => runnable !== undefined)
    .map((runnable) => ({ kind: 'version-retired', key: runnable.key }))
