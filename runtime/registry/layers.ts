import type { Database } from 'better-sqlite3'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import type { Scope } from '../store/journal.ts'
import { readLayerRows, type layerStatements, type LayerVersionRow } from '../store/layers.ts'
import type { Change, SqlValue, Store } from '../store/store.ts'
import type { PolicyRecord, PolicyStatement } from './function-record.ts'
import type { CodePackages } from './packages.ts'
import { noPolicy, withoutStatement, withStatement } from './policies.ts'
import { policyJson, policyOf } from './rows.ts'
import { Serial } from './serial.ts'
import type { CodePackage } from './types.ts'
import { checkRevision } from './versions.ts'

/** One version of a layer. Only its policy changes. */
export interface LayerVersion {
  readonly scope: Scope
  readonly layerName: string
  readonly version: number
  readonly codePackage: CodePackage
  readonly description: string
  readonly license: string | undefined
  /** Undefined: never given, which reads back differently from none. */
  readonly runtimes: readonly string[] | undefined
  readonly architectures: readonly string[] | undefined
  readonly createdAtMs: number
  readonly policy: PolicyRecord | undefined
}

/** What a layer version is published with. */
export type NewLayerVersion = Pick<
  LayerVersion,
  'codePackage' | 'description' | 'license' | 'runtimes' | 'architectures'
>

interface Layer {
  readonly scope: Scope
  readonly layerName: string
  lastVersion: number
  /** By number, in the order of publication. */
  readonly versions: Map<number, LayerVersion>
}

/** What layers are made of. */
export interface LayersParts {
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly packages: Pick<CodePackages, 'get' | 'directoryOf'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
}

/** How long a removed version's package stays. */
const GRACE_MS = 3_600_000
/** Packages that stay for that reason; past it the oldest go early. */
const MAX_REMOVED = 10_000

/** Opens the layers that the store holds. */
export async function openLayers(parts: LayersParts): Promise<Layers> {
  return new Layers(parts, await loadLayers(parts))
}

/**
 * Layers and their versions. Reads are answered from memory; a change is committed, then made visible, one
 * after another for each layer.
 */
export class Layers {
  readonly #parts: LayersParts
  readonly #layers: Map<string, Layer>
  readonly #serial = new Serial()
  /** When versions with a package were removed, by the package's id. */
  readonly #removed = new Map<string, number>()

  constructor(parts: LayersParts, layers: Map<string, Layer>) {
    this.#parts = parts
    this.#layers = layers
  }

  find(scope: Scope, layerName: string, version: number): LayerVersion | undefined {
    return this.#layers.get(keyOf(scope, layerName))?.versions.get(version)
  }

  /** The newest first; none for a layer that does not exist. */
  versions(scope: Scope, layerName: string): LayerVersion[] {
    return [...(this.#layers.get(keyOf(scope, layerName))?.versions.values() ?? [])].toReversed()
  }

  /** Names of layers that have a version, sorted. */
  names(scope: Scope): string[] {
    return [...this.#layers.values()]
      .filter((layer) => isSame(layer.scope, scope) && layer.versions.size > 0)
      .map((layer) => layer.layerName)
      .sort()
  }

  /** Bytes of all zips of one account and region. */
  codeBytes(scope: Scope): number {
    return this.names(scope)
      .flatMap((name) => this.versions(scope, name))
      .reduce((sum, { codePackage }) => sum + codePackage.sizeBytes, 0)
  }

  /** Ids of all packages in use, or until lately: a function that is being made may just have looked. */
  *packageIds(): Generator<string> {
    for (const layer of this.#layers.values())
      for (const { codePackage } of layer.versions.values()) yield codePackage.id
    const nowMs = this.#parts.clock.nowMs()
    for (const [id, removedAtMs] of this.#removed)
      if (nowMs - removedAtMs < GRACE_MS) yield id
      else this.#removed.delete(id)
  }

  /** Gives the content the layer's next number; no number is given twice. */
  publish(scope: Scope, layerName: string, input: NewLayerVersion): Promise<LayerVersion> {
    return this.#serially(scope, layerName, async () => {
      const layer = this.#layers.get(keyOf(scope, layerName)) ?? newLayer(scope, layerName)
      const version = layer.lastVersion + 1
      const createdAtMs = this.#parts.clock.nowMs()
      const made: LayerVersion = { scope, layerName, ...input, version, createdAtMs, policy: undefined }
      await this.#parts.store.commit([
        change('putLayer', scope.account, scope.region, layerName, version),
        putVersion(made),
      ])
      layer.lastVersion = version
      layer.versions.set(version, made)
      this.#layers.set(keyOf(scope, layerName), layer)
      return made
    })
  }

  /** Removes a version, if there is one. Functions that have it keep it. */
  async remove(scope: Scope, layerName: string, version: number): Promise<void> {
    await this.#serially(scope, layerName, async () => {
      const layer = this.#layers.get(keyOf(scope, layerName))
      const removed = layer?.versions.get(version)
      if (layer === undefined || removed === undefined) return
      const key = [scope.account, scope.region, layerName, version] as const
      await this.#parts.store.commit([
        change('deleteLayerVersion', ...key),
        change('deleteLayerPolicy', ...key),
      ])
      layer.versions.delete(version)
      this.#noteRemoved(removed.codePackage.id)
    })
  }

  /**
   * Rejects 'not-found', 'already-exists', 'precondition-failed' and 'too-large'.
   */
  addStatement(
    version: LayerVersion,
    statement: PolicyStatement,
    revisionId: string | undefined,
  ): Promise<PolicyRecord> {
    return this.#changePolicy(version, (before, newId) => {
      checkRevision(before?.revisionId, revisionId, 'GetLayerPolicy')
      return withStatement(before, statement, newId)
    })
  }

  /** Rejects 'not-found' and 'precondition-failed'. */
  async removeStatement(version: LayerVersion, sid: string, revisionId: string | undefined): Promise<void> {
    await this.#changePolicy(version, (before, newId) => {
      const after = withoutStatement(before, sid, newId)
      checkRevision(before?.revisionId, revisionId, 'GetLayerPolicy')
      return after
    })
  }

  /** Waits for changes that are under way. */
  async close(): Promise<void> {
    await this.#serial.drained()
  }

  #noteRemoved(packageId: string): void {
    this.#removed.delete(packageId) // the newest is at the end
    this.#removed.set(packageId, this.#parts.clock.nowMs())
    const [oldest] = this.#removed.keys()
    if (this.#removed.size > MAX_REMOVED && oldest !== undefined) this.#removed.delete(oldest)
  }

  #changePolicy<Policy extends PolicyRecord | undefined>(
    { scope, layerName, version }: LayerVersion,
    edit: (before: PolicyRecord | undefined, newId: string) => Policy,
  ): Promise<Policy> {
    return this.#serially(scope, layerName, async () => {
      const layer = this.#layers.get(keyOf(scope, layerName))
      const found = layer?.versions.get(version)
      if (layer === undefined || found === undefined) throw noPolicy() // removed while this waited
      const policy = edit(found.policy, this.#parts.rng.uuid(this.#parts.clock.nowMs()))
      const key = [scope.account, scope.region, layerName, version] as const
      await this.#parts.store.commit([
        policy === undefined
          ? change('deleteLayerPolicy', ...key)
          : change('putLayerPolicy', ...key, policy.revisionId, policyJson(policy)),
      ])
      layer.versions.set(version, { ...found, policy })
      return policy
    })
  }

  #serially<Result>(scope: Scope, layerName: string, work: () => Promise<Result>): Promise<Result> {
    return this.#serial.run(keyOf(scope, layerName), work)
  }
}

const keyOf = ({ account, region }: Scope, layerName: string): string => `${account}/${region}/${layerName}`
const isSame = (left: Scope, right: Scope): boolean =>
  left.account === right.account && left.region === right.region

const newLayer = (scope: Scope, layerName: string): Layer => ({
  scope,
  layerName,
  lastVersion: 0,
  versions: new Map(),
})

const change = (statement: keyof typeof layerStatements, ...parameters: SqlValue[]): Change => [
  statement,
  ...parameters,
]

const putVersion = (made: LayerVersion): Change =>
  change(
    'putLayerVersion',
    made.scope.account,
    made.scope.region,
    made.layerName,
    made.version,
    made.codePackage.id,
    made.codePackage.sizeBytes,
    made.description,
    made.license ?? null,
    made.runtimes === undefined ? null : JSON.stringify(made.runtimes),
    made.architectures === undefined ? null : JSON.stringify(made.architectures),
    made.createdAtMs,
  )

async function loadLayers({
  store,
  packages,
  log,
}: Pick<LayersParts, 'packages' | 'log'> & { store: { readonly reader: Database } }): Promise<
  Map<string, Layer>
> {
  const rows = readLayerRows(store.reader)
  const layers = new Map<string, Layer>()
  for (const { account, region, name, last_version } of rows.layers) {
    const layer = { ...newLayer({ account, region }, name), lastVersion: last_version }
    layers.set(keyOf(layer.scope, name), layer)
  }
  for (const row of rows.versions) {
    const layer = layers.get(keyOf(row, row.name))
    if (layer === undefined) continue
    const codePackage = await packageOf(row, packages, log)
    layer.versions.set(row.version, versionOf(layer, row, codePackage))
  }
  for (const row of rows.policies) {
    const layer = layers.get(keyOf(row, row.name))
    const version = layer?.versions.get(row.version)
    if (version !== undefined) layer?.versions.set(row.version, { ...version, policy: policyOf(row) })
  }
  return layers
}

const versionOf = (layer: Layer, row: LayerVersionRow, codePackage: CodePackage): LayerVersion => ({
  scope: layer.scope,
  layerName: layer.layerName,
  version: row.version,
  codePackage,
  description: row.description,
  license: row.license ?? undefined,
  // the casts read back what `putVersion` stored
  runtimes: row.runtimes_json === null ? undefined : (JSON.parse(row.runtimes_json) as string[]),
  architectures:
    row.architectures_json === null ? undefined : (JSON.parse(row.architectures_json) as string[]),
  createdAtMs: row.created_at_ms,
  policy: undefined,
})

/** A layer whose content is gone can be seen and removed; functions with it fail, and say why. */
async function packageOf(
  row: LayerVersionRow,
  packages: LayersParts['packages'],
  log: Log,
): Promise<CodePackage> {
  try {
    return await packages.get(row.package_id)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    log.error('layer unreadable', { layer: row.name, version: row.version, reason: error.message })
    return {
      id: row.package_id,
      sha256: Buffer.from(row.package_id, 'hex').toString('base64'),
      sizeBytes: row.package_size_bytes,
      unzippedBytes: 0,
      directory: packages.directoryOf(row.package_id),
      zipPath: '',
    }
  }
}
