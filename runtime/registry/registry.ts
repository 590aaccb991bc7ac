import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { createAlias, deleteAlias, updateAlias, type AliasUpdate, type NewAlias } from './aliases.ts'
import { deleteEventSettings, putEventSettings, type EventSettingsChange } from './event-settings.ts'
import { FunctionIndex } from './function-index.ts'
import {
  functionArn,
  type AliasRecord,
  type Edit,
  type EventSettings,
  type FunctionRecord,
  type PolicyRecord,
  type PolicyStatement,
  type UrlRecord,
  type VersionRecord,
} from './function-record.ts'
import { attach, setRecursion, setReservedConcurrency } from './function-options.ts'
import { loadFunctions } from './loading.ts'
import type { CodePackages } from './packages.ts'
import {
  addStatement,
  removeStatement,
  replacePolicy,
  type NewStatement,
  type PolicyReplacement,
} from './policies.ts'
import { claimOf, shareOut, type AccountUsage } from './provisioned.ts'
import { Preparations, type Prepare } from './preparations.ts'
import { checkPublished, functionNotFound, isUnsettled } from './resolver.ts'
import { retag, type Making } from './running.ts'
import { Serial } from './serial.ts'
import { Settling } from './settling.ts'
import type { NetworkAccess, RegistryEvent, Resolver, Target } from './types.ts'
import { createUrl, deleteUrl, newUrlId, updateUrl, type NewUrl, type UrlUpdate } from './urls.ts'
import {
  createFunction,
  publishVersion,
  removeFunction,
  removeVersion,
  settleVersion,
  updateLatest,
  type NewFunction,
  type Publication,
  type Update,
} from './versions.ts'

/** What the registry is built of. */
export interface RegistryParts {
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly packages: Pick<CodePackages, 'get' | 'directoryOf'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly config: Pick<Config, 'limits' | 'accountConcurrency'>
  /** Network access of functions that do not ask for any. */
  readonly network: NetworkAccess
  readonly prepare: Prepare
  /** Why no nodes could ever hold these resources so many times; undefined when they could. */
  readonly feasible: Making['feasible']
  /** A function is there, or is not as it was; told before its events. */
  onFunction?(record: FunctionRecord): void
  /** Told at once, in order, after a change is durable and visible. */
  onEvent(event: RegistryEvent): void
}

/** What a change makes of a function. */
export type EditFunction<Result> = (record: FunctionRecord, making: Making) => Edit<Result>

/**
 * Opens the registry over what the store holds, and goes on preparing what was not ready when the engine
 * stopped.
 */
export async function openRegistry(parts: RegistryParts): Promise<Registry> {
  const { store, packages, network, log } = parts
  const records = await loadFunctions({ reader: store.reader, packages, network, log })
  return new Registry(parts, records)
}

/**
 * Functions, versions, aliases and what hangs on them. Reads are answered from memory. A change is checked,
 * committed, then made visible, one after another for each function: what can be read is on disk.
 */
export class Registry implements Resolver {
  readonly #parts: RegistryParts
  readonly #index = new FunctionIndex()
  readonly #serial = new Serial()
  readonly #preparations: Preparations
  readonly #settling = new Settling()

  constructor(parts: RegistryParts, records: Iterable<FunctionRecord>) {
    this.#parts = parts
    this.#preparations = new Preparations(parts.prepare)
    for (const record of records) this.#show(record, undefined)
  }

  // Reading

  resolve(scope: Scope, functionName: string, qualifier: string | undefined): Target {
    const target = this.#index.resolve(scope, functionName, qualifier, this.#parts.rng)
    if (target === undefined) throw functionNotFound(scope, functionName, qualifier)
    if (qualifier === undefined && this.#parts.config.limits === 'strict') checkPublished(target)
    return target
  }

  async ready(scope: Scope, functionName: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const record = this.#index.get(scope, functionName)
    if (record !== undefined) await this.#settling.settled(record.functionId, signal)
  }

  find(scope: Scope, functionName: string): FunctionRecord | undefined {
    return this.#index.get(scope, functionName)
  }

  /** Throws EngineError 'not-found'. */
  get(scope: Scope, functionName: string, qualifier?: string): FunctionRecord {
    const record = this.#index.get(scope, functionName)
    if (record !== undefined) return record
    throw new EngineError('not-found', `Function not found: ${functionArn(scope, functionName, qualifier)}`)
  }

  /** By name. */
  list(scope: Scope): FunctionRecord[] {
    return this.#index.list(scope)
  }

  /** Every function of every account and region. */
  all(): Iterable<FunctionRecord> {
    return this.#index.all()
  }

  /** The function behind a public URL; undefined when no URL has this id. */
  byUrl(urlId: string): { record: FunctionRecord; url: UrlRecord } | undefined {
    return this.#index.byUrl(urlId)
  }

  usage(scope: Scope): AccountUsage {
    let codeBytes = 0
    let reserved = 0
    const records = this.#index.list(scope)
    for (const record of records) {
      reserved += claimOf(record)
      for (const version of record.versions.values()) codeBytes += version.codePackage.sizeBytes
    }
    return {
      functions: records.length,
      codeBytes,
      concurrency: this.#parts.config.accountConcurrency,
      reserved,
    }
  }

  /** Ids of all packages in use, of code and of layers. */
  packageIds(): Set<string> {
    const ids = new Set<string>()
    for (const record of this.#index.all())
      for (const { codePackage, settings } of record.versions.values())
        for (const id of [codePackage.id, ...settings.layers.map((layer) => layer.packageId)]) ids.add(id)
    return ids
  }

  // Functions and versions

  /** Rejects 'already-exists', 'invalid', 'infeasible', 'unsupported'. */
  create(scope: Scope, functionName: string, input: NewFunction): Promise<VersionRecord> {
    return this.#serially(scope, functionName, async () => {
      if (this.#index.get(scope, functionName) !== undefined)
        throw new EngineError('already-exists', `Function already exist: ${functionName}`)
      return await this.#apply(undefined, createFunction(scope, functionName, input, this.#making()))
    })
  }

  /** Rejects 'not-found', 'conflict', 'precondition-failed', 'invalid', 'infeasible'. */
  update(
    scope: Scope,
    functionName: string,
    change: Update | ((record: FunctionRecord) => Update),
  ): Promise<VersionRecord> {
    return this.#change(scope, functionName, (record, making) =>
      updateLatest(record, typeof change === 'function' ? change(record) : change, making),
    )
  }

  /** Rejects 'not-found', 'conflict', 'precondition-failed', 'invalid'. */
  publish(scope: Scope, functionName: string, publication: Publication): Promise<VersionRecord> {
    return this.#change(scope, functionName, (record, making) => publishVersion(record, publication, making))
  }

  /** Removes one published version, or the whole function. Rejects 'not-found', 'conflict'. */
  async remove(scope: Scope, functionName: string, version?: string): Promise<void> {
    await this.#change(scope, functionName, (record) =>
      version === undefined ? removeFunction(record) : removeVersion(record, version),
    )
  }

  /**
   * Replaces the tags by what `change` makes of them. Rejects 'not-found', 'invalid', 'infeasible',
   * 'unsupported'.
   */
  async tag(
    scope: Scope,
    functionName: string,
    change: (tags: Readonly<Record<string, string>>) => Record<string, string>,
  ): Promise<void> {
    await this.#change(scope, functionName, (record, making) => retag(record, change(record.tags), making))
  }

  /**
   * Null takes the reservation back. Rejects 'not-found', 'invalid' when too little is left for everyone
   * else.
   */
  reserve(scope: Scope, functionName: string, concurrency: number | null): Promise<undefined> {
    return this.editInAccount(scope, functionName, (record) =>
      setReservedConcurrency(record, concurrency, this.usage(scope)),
    )
  }

  async allowRecursion(scope: Scope, functionName: string, recursion: 'terminate' | 'allow'): Promise<void> {
    await this.#change(scope, functionName, (record) => setRecursion(record, recursion))
  }

  // What hangs on functions

  createAlias(scope: Scope, functionName: string, input: NewAlias): Promise<AliasRecord> {
    return this.#change(scope, functionName, (record, making) => createAlias(record, input, making))
  }

  updateAlias(scope: Scope, functionName: string, name: string, update: AliasUpdate): Promise<AliasRecord> {
    return this.#change(scope, functionName, (record, making) => updateAlias(record, name, update, making))
  }

  async deleteAlias(scope: Scope, functionName: string, name: string): Promise<void> {
    await this.#change(scope, functionName, (record) => deleteAlias(record, name))
  }

  addStatement(scope: Scope, functionName: string, input: NewStatement): Promise<PolicyStatement> {
    return this.#change(scope, functionName, (record, making) => addStatement(record, input, making))
  }

  async removeStatement(
    scope: Scope,
    functionName: string,
    statement: { qualifier: string; sid: string; revisionId: string | undefined },
  ): Promise<void> {
    const { qualifier, sid, revisionId } = statement
    await this.#change(scope, functionName, (record, making) =>
      removeStatement(record, qualifier, sid, revisionId, making),
    )
  }

  replacePolicy(
    scope: Scope,
    functionName: string,
    replacement: PolicyReplacement,
  ): Promise<PolicyRecord | undefined> {
    return this.#change(scope, functionName, (record, making) => replacePolicy(record, replacement, making))
  }

  /** Hangs something of an adapter's on a function; undefined takes it away. Rejects 'not-found'. */
  async attach(scope: Scope, functionName: string, name: string, value: unknown): Promise<void> {
    await this.#change(scope, functionName, (record) => attach(record, name, value))
  }

  createUrl(scope: Scope, functionName: string, input: NewUrl): Promise<UrlRecord> {
    return this.#change(scope, functionName, (record, making) =>
      createUrl(record, input, newUrlId(this.#parts.rng), making),
    )
  }

  updateUrl(scope: Scope, functionName: string, qualifier: string, update: UrlUpdate): Promise<UrlRecord> {
    return this.#change(scope, functionName, (record, making) => updateUrl(record, qualifier, update, making))
  }

  async deleteUrl(scope: Scope, functionName: string, qualifier: string): Promise<void> {
    await this.#change(scope, functionName, (record) => deleteUrl(record, qualifier))
  }

  putEventSettings(
    scope: Scope,
    functionName: string,
    qualifier: string,
    change: EventSettingsChange,
    mode: 'replace' | 'merge',
  ): Promise<EventSettings> {
    return this.#change(scope, functionName, (record, making) =>
      putEventSettings(record, qualifier, change, mode, making),
    )
  }

  async deleteEventSettings(scope: Scope, functionName: string, qualifier: string): Promise<void> {
    await this.#change(scope, functionName, (record) => deleteEventSettings(record, qualifier))
  }

  /** Stops preparing and waits for changes that are under way. */
  async close(): Promise<void> {
    await this.#preparations.close()
    await this.#serial.drained()
    this.#settling.endAll()
  }

  // Changing

  /** A change that a file of its own describes. Rejects as it throws, and 'not-found'. */
  edit<Result>(scope: Scope, functionName: string, edit: EditFunction<Result>): Promise<Result> {
    return this.#change(scope, functionName, edit)
  }

  /** As `edit`, one at a time for the whole account: what is left depends on all its functions. */
  editInAccount<Result>(scope: Scope, functionName: string, edit: EditFunction<Result>): Promise<Result> {
    return this.#serial.run(`${scope.account}/${scope.region}`, () => this.#change(scope, functionName, edit))
  }

  #serially<Result>(scope: Scope, functionName: string, work: () => Promise<Result>): Promise<Result> {
    return this.#serial.run(`${scope.account}/${scope.region}/${functionName}`, work)
  }

  #change<Result>(scope: Scope, functionName: string, edit: EditFunction<Result>): Promise<Result> {
    return this.#serially(scope, functionName, async () => {
      const record = this.get(scope, functionName)
      return await this.#apply(record, edit(record, this.#making()))
    })
  }

  async #apply<Result>(before: FunctionRecord | undefined, edit: Edit<Result>): Promise<Result> {
    if (edit.changes.length > 0) await this.#parts.store.commit(edit.changes)
    const { record } = edit
    if (record !== undefined) this.#show(record, before)
    else if (before !== undefined) {
      this.#index.remove(before)
      this.#settling.end(before.functionId)
    }
    for (const event of edit.events) this.#parts.onEvent(event)
    return edit.result
  }

  #show(record: FunctionRecord, before: FunctionRecord | undefined): void {
    if (record === before) return
    record.limits.reservedConcurrency = record.reservedConcurrency
    record.limits.mayLoop = record.recursion === 'allow'
    shareOut(record)
    this.#index.put(record)
    this.#parts.onFunction?.(record)
    if (!isUnsettled(record)) return this.#settling.end(record.functionId)
    this.#settling.begin(record.functionId)
    for (const version of record.versions.values()) {
      const { preparing } = version
      if (preparing === 0 || preparing === before?.versions.get(version.version)?.preparing) continue
      this.#preparations.start({
        version: version.runnable,
        done: (failure) => this.#prepared(record, version.version, preparing, failure),
      })
    }
  }

  async #prepared(
    { scope, functionName, functionId }: FunctionRecord,
    version: string,
    preparing: number,
    failure: string | undefined,
  ): Promise<void> {
    if (failure !== undefined)
      this.#parts.log.warn('preparation failed', { functionName, version, reason: failure })
    try {
      await this.#serially(scope, functionName, async () => {
        const record = this.#index.get(scope, functionName)
        if (record === undefined || record.functionId !== functionId) return
        const edit = settleVersion(record, version, preparing, failure, this.#making())
        if (edit !== undefined) await this.#apply(record, edit)
      })
    } catch (error) {
      // the store refused: the version stays as it is until the next start prepares it again
      this.#parts.log.error('state not written', { functionName, version, reason: messageOf(error) })
    }
  }

  #making(): Making {
    const { clock, rng, config, network, feasible, packages } = this.#parts
    const nowMs = clock.nowMs()
    return {
      nowMs,
      newId: () => rng.uuid(nowMs),
      limits: config.limits,
      network,
      layerDirectory: (packageId) => packages.directoryOf(packageId),
      feasible,
    }
  }
}
