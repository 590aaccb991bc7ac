import { EngineError } from '../errors.ts'
import type { Clock } from '../clock.ts'
import { MILLI } from '../resources.ts'
import { readCapacityProviders, type CapacityProviderRow } from '../store/capacity.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { checkTagCount } from './rules.ts'
import { Serial } from './serial.ts'

/** A pool of this cluster's processors that functions share, and may be bounded by. */
export interface CapacityProvider {
  readonly scope: Scope
  readonly name: string
  /** Processors that its functions hold together at most; null: no bound but the machines'. */
  readonly maxCpus: number | null
  /** What an adapter stores and gets back unread. */
  readonly kept: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly state: 'pending' | 'active'
  readonly modifiedAtMs: number
}

/** A change; members that are absent stay. */
export type CapacityProviderChange = Partial<Pick<CapacityProvider, 'maxCpus' | 'kept'>>

interface Parts {
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly clock: Clock
  /** Told when there may be more room, or less. */
  onChange?(): void
}

const MAX_PROVIDERS = 1000

/** Capacity providers. Reads are answered from memory; a change is committed, then made visible. */
export class CapacityProviders {
  readonly #parts: Parts
  /** By ARN. */
  readonly #providers: Map<string, CapacityProvider>
  readonly #serial = new Serial()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#providers = new Map(
      readCapacityProviders(parts.store.reader).map((row) => {
        const provider = providerOf(row)
        return [providerArn(provider), provider]
      }),
    )
  }

  /** Undefined when there is none of that ARN in this account and region. */
  find(arn: string): CapacityProvider | undefined {
    return this.#providers.get(arn)
  }

  /** Throws EngineError 'not-found'. */
  get(scope: Scope, name: string): CapacityProvider {
    const arn = providerArn({ scope, name })
    const found = this.#providers.get(arn)
    if (found === undefined) throw new EngineError('not-found', `Capacity provider not found: ${arn}`)
    return found
  }

  /** By name. */
  list(scope: Scope): CapacityProvider[] {
    return [...this.#providers.values()]
      .filter((one) => one.scope.account === scope.account && one.scope.region === scope.region)
      .sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** How much of `cpu` a provider's functions may hold, in milli-units; undefined: as much as there is. */
  readonly cpuLimit = (arn: string): number | undefined => {
    const maxCpus = this.#providers.get(arn)?.maxCpus ?? null
    return maxCpus === null ? undefined : maxCpus * MILLI
  }

  /**
   * Gives it as it is at first; it is active a moment later. Rejects 'already-exists', 'invalid' for too many
   * tags, and with detail 'capacity-providers' for too many of them.
   */
  create(
    scope: Scope,
    name: string,
    input: Pick<CapacityProvider, 'maxCpus' | 'kept' | 'tags'>,
  ): Promise<CapacityProvider> {
    checkTagCount(input.tags)
    const arn = providerArn({ scope, name })
    return this.#serial.run(arn, async () => {
      if (this.#providers.has(arn))
        throw new EngineError('already-exists', `Capacity provider already exists: ${arn}`)
      if (this.list(scope).length >= MAX_PROVIDERS)
        throw new EngineError('invalid', `There are ${MAX_PROVIDERS} capacity providers already.`, {
          detail: 'capacity-providers',
        })
      const modifiedAtMs = this.#parts.clock.nowMs()
      const pending = await this.#put({ ...input, scope, name, state: 'pending', modifiedAtMs })
      // nothing has to be built: the machines are there
      void this.#change(arn, (before) => ({ ...before, state: 'active' })).catch(() => undefined)
      return pending
    })
  }

  /** Rejects 'not-found'. */
  update(scope: Scope, name: string, change: CapacityProviderChange): Promise<CapacityProvider> {
    const { nowMs } = this.#parts.clock
    return this.#change(providerArn(this.get(scope, name)), (before) => ({
      ...before,
      ...change,
      modifiedAtMs: nowMs(),
    }))
  }

  /** Replaces the tags by what `change` makes of them. Rejects 'not-found', 'invalid'. */
  async tag(
    arn: string,
    change: (tags: Readonly<Record<string, string>>) => Record<string, string>,
  ): Promise<void> {
    await this.#change(arn, (before) => {
      const tags = change(before.tags)
      checkTagCount(tags)
      return { ...before, tags }
    })
  }

  /** Rejects as `unused` throws. */
  async remove(scope: Scope, name: string, unused: (arn: string) => void): Promise<CapacityProvider> {
    const provider = this.get(scope, name)
    const arn = providerArn(provider)
    await this.#serial.run(arn, async () => {
      unused(arn)
      await this.#parts.store.commit([['deleteCapacityProvider', scope.account, scope.region, name]])
      this.#providers.delete(arn)
    })
    return provider
  }

  /** Waits for changes that are under way. */
  async close(): Promise<void> {
    await this.#serial.drained()
  }

  #change(arn: string, edit: (before: CapacityProvider) => CapacityProvider): Promise<CapacityProvider> {
    return this.#serial.run(arn, async () => {
      const before = this.#providers.get(arn)
      if (before === undefined) throw new EngineError('not-found', `Capacity provider not found: ${arn}`)
      return await this.#put(edit(before))
    })
  }

  async #put(provider: CapacityProvider): Promise<CapacityProvider> {
    const { scope, name, maxCpus, kept, tags, state, modifiedAtMs } = provider
    await this.#parts.store.commit([
      [
        'putCapacityProvider',
        scope.account,
        scope.region,
        name,
        JSON.stringify({ maxCpus, kept }),
        JSON.stringify(tags),
        state,
        modifiedAtMs,
      ],
    ])
    this.#providers.set(providerArn(provider), provider)
    this.#parts.onChange?.()
    return provider
  }
}

/** The ARN of a capacity provider. */
export const providerArn = ({ scope, name }: Pick<CapacityProvider, 'scope' | 'name'>): string =>
  `arn:aws:lambda:${scope.region}:${scope.account}:capacity-provider:${name}`

function providerOf(row: CapacityProviderRow): CapacityProvider {
  // the casts read back what `#put` stored
  const settings = JSON.parse(row.settings_json) as Pick<CapacityProvider, 'maxCpus' | 'kept'>
  return {
    ...settings,
    scope: { account: row.account, region: row.region },
    name: row.name,
    tags: JSON.parse(row.tags_json) as Record<string, string>,
    state: 'active',
    modifiedAtMs: row.modified_at_ms,
  }
}
