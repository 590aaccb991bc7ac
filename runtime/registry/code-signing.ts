import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Rng } from '../rng.ts'
import {
  readCodeSigningRows,
  type CodeSigningRow,
  type codeSigningStatements,
} from '../store/code-signing.ts'
import type { Scope } from '../store/journal.ts'
import type { Change, SqlValue, Store } from '../store/store.ts'
import { checkTagCount } from './rules.ts'
import { Serial } from './serial.ts'

/** Who may have signed code, and what happens to code that nobody of them has. */
export interface CodeSigningConfig {
  /** `csc-` and 17 digits of [0-9a-f]. */
  readonly configId: string
  readonly scope: Scope
  readonly description: string | undefined
  /** ARNs of signing profiles. */
  readonly publishers: readonly string[]
  readonly policy: 'warn' | 'enforce'
  readonly tags: Readonly<Record<string, string>>
  readonly modifiedAtMs: number
}

/** A change of a configuration; members that are absent stay. */
export type CodeSigningChange = Partial<Pick<CodeSigningConfig, 'description' | 'publishers' | 'policy'>>

interface Parts {
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly clock: Clock
  readonly rng: Rng
}

/** Code signing configurations. Reads are answered from memory; a change is committed, then made visible. */
export class CodeSigningConfigs {
  readonly #parts: Parts
  readonly #configs: Map<string, CodeSigningConfig>
  readonly #serial = new Serial()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#configs = new Map(
      readCodeSigningRows(parts.store.reader).map((row) => [row.config_id, configOf(row)]),
    )
  }

  find(scope: Scope, configId: string): CodeSigningConfig | undefined {
    const found = this.#configs.get(configId)
    return found?.scope.account === scope.account && found.scope.region === scope.region ? found : undefined
  }

  /** By id. */
  list(scope: Scope): CodeSigningConfig[] {
    return [...this.#configs.keys()]
      .sort()
      .map((configId) => this.find(scope, configId))
      .filter((config) => config !== undefined)
  }

  create(
    scope: Scope,
    input: Omit<CodeSigningConfig, 'configId' | 'scope' | 'modifiedAtMs'>,
  ): Promise<CodeSigningConfig> {
    checkTagCount(input.tags)
    const configId = `csc-${this.#parts.rng.bytes(9).toString('hex').slice(0, 17)}`
    return this.#put({ ...input, scope, configId, modifiedAtMs: this.#parts.clock.nowMs() })
  }

  /** Nothing to change leaves it as it is. Rejects 'not-found'. */
  update(config: CodeSigningConfig, change: CodeSigningChange): Promise<CodeSigningConfig> {
    return this.#change(config, (before) =>
      Object.keys(change).length === 0
        ? before
        : { ...before, ...change, modifiedAtMs: this.#parts.clock.nowMs() },
    )
  }

  /** Replaces the tags by what `change` makes of them. Rejects 'not-found', 'invalid'. */
  async tag(
    config: CodeSigningConfig,
    change: (tags: Readonly<Record<string, string>>) => Record<string, string>,
  ): Promise<void> {
    await this.#change(config, (before) => {
      const tags = change(before.tags)
      checkTagCount(tags)
      return { ...before, tags }
    })
  }

  async remove({ configId }: CodeSigningConfig): Promise<void> {
    await this.#serial.run(configId, async () => {
      await this.#parts.store.commit([change('deleteCodeSigningConfig', configId)])
      this.#configs.delete(configId)
    })
  }

  /** Waits for changes that are under way. */
  async close(): Promise<void> {
    await this.#serial.drained()
  }

  #change(
    { configId }: CodeSigningConfig,
    edit: (before: CodeSigningConfig) => CodeSigningConfig,
  ): Promise<CodeSigningConfig> {
    return this.#serial.run(configId, async () => {
      const before = this.#configs.get(configId)
      if (before === undefined)
        throw new EngineError('not-found', `There is no code signing configuration ${configId} any more.`)
      const after = edit(before)
      return after === before ? before : await this.#put(after)
    })
  }

  async #put(config: CodeSigningConfig): Promise<CodeSigningConfig> {
    await this.#parts.store.commit([
      change(
        'putCodeSigningConfig',
        config.configId,
        config.scope.account,
        config.scope.region,
        config.description ?? null,
        JSON.stringify(config.publishers),
        config.policy,
        JSON.stringify(config.tags),
        config.modifiedAtMs,
      ),
    ])
    this.#configs.set(config.configId, config)
    return config
  }
}

const change = (statement: keyof typeof codeSigningStatements, ...parameters: SqlValue[]): Change => [
  statement,
  ...parameters,
]

const configOf = (row: CodeSigningRow): CodeSigningConfig => ({
  configId: row.config_id,
  scope: { account: row.account, region: row.region },
  description: row.description ?? undefined,
  // the casts read back what `#put` stored
  publishers: JSON.parse(row.publishers_json) as string[],
  policy: row.policy === 'enforce' ? 'enforce' : 'warn',
  tags: JSON.parse(row.tags_json) as Record<string, string>,
  modifiedAtMs: row.modified_at_ms,
})
