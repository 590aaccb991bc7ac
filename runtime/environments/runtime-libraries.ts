import { mkdirSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { CodePackage } from '../registry/types.ts'
import type { Rng } from '../rng.ts'
import { exists, findNpm, lockFile, runProgram, userCache } from './npm-cache.ts'

/** Packages that Lambda's Node.js images bring along: code may import them without bringing them itself. */
const PROVIDED =
  /(?:\brequire\s*\(|\bimport\s*\(|\bfrom|\bimport)\s*["'](@aws-sdk\/[a-z0-9-]+)(?:\/[^"']*)?["']/g
/** The line of releases that the images have. */
const RELEASE = '3'
/** What one package is searched through; what lies beyond is not expected to begin with imports. */
const MAX_FILES = 5000
const MAX_BYTES = 64 * 1024 * 1024
const MAX_FILE_BYTES = 16 * 1024 * 1024
/** Code packages that are remembered. */
const MAX_KNOWN = 10_000
/** After a failure nobody tries again for so long. */
const RETRY_AFTER_MS = 600_000

/** What fetching needs; the default folder is for an engine. */
export interface RuntimeLibrariesOptions {
  /** Absolute; shared by all engines of a user. */
  readonly cacheDirectory?: string
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
}

/**
 * The AWS SDK of Lambda's Node.js images. A client that code imports and does not bring is fetched once with
 * npm into a folder that every environment sees as `/var/runtime/node_modules`; where it cannot be had, the
 * import fails as it would without.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html#nodejs-sdk-included
 */
export class RuntimeLibraries {
  /** The `node_modules` folder; null where it cannot be made. */
  readonly directory: string | null
  readonly #options: RuntimeLibrariesOptions
  readonly #home: string
  /** By code package: what it imports and does not bring. */
  readonly #missing = new Map<string, Promise<readonly string[]>>()
  #fetching: Promise<void> = Promise.resolve()
  #failedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: RuntimeLibrariesOptions) {
    this.#options = options
    this.#home = options.cacheDirectory ?? userCache('aws-sdk')
    const directory = join(this.#home, 'node_modules')
    try {
      mkdirSync(directory, { recursive: true })
      this.directory = directory
    } catch (error) {
      options.log.warn('the AWS SDK cannot be kept for functions', { directory, reason: messageOf(error) })
      this.directory = null
    }
  }

  /** Whether code imports anything from here. */
  async serves(codePackage: CodePackage): Promise<boolean> {
    return (await this.#missingIn(codePackage)).length > 0
  }

  /** Fetches what a package imports and does not bring. Never rejects: the import says what is missing. */
  async prepare(codePackage: CodePackage): Promise<void> {
    const names = await this.#missingIn(codePackage)
    if (names.length === 0) return
    // one npm at a time in one folder
    const turn = this.#fetching.then(() => this.#fetch(names))
    this.#fetching = turn
    await turn
  }

  #missingIn(codePackage: CodePackage): Promise<readonly string[]> {
    let missing = this.#missing.get(codePackage.id)
    if (missing === undefined) {
      if (this.#missing.size >= MAX_KNOWN) this.#missing.clear() // they are looked at again
      missing = importsOf(codePackage.directory).then((names) => absent(codePackage.directory, names))
      this.#missing.set(codePackage.id, missing)
    }
    return missing
  }

  async #fetch(names: readonly string[]): Promise<void> {
    const { clock, rng, log } = this.#options
    const { directory } = this
    if (directory === null || clock.monotonicMs() - this.#failedAtMs < RETRY_AFTER_MS) return
    try {
      const absentNames = async (): Promise<string[]> => {
        const found = await Promise.all(names.map((name) => exists(join(directory, name, 'package.json'))))
        return names.filter((_, index) => !found[index])
      }
      if ((await absentNames()).length === 0) return
      await using _lock = await lockFile(join(this.#home, 'lock'), { clock, rng }, async () => false)
      const wanted = await absentNames()
      if (wanted.length === 0) return
      const startedMs = clock.monotonicMs()
      log.info('fetching the AWS SDK that functions import', { packages: wanted })
      const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--silent', '--fetch-retries=0']
      const packages = wanted.map((name) => `${name}@${RELEASE}`)
      await runProgram(
        await findNpm(),
        ['install', '--prefix', this.#home, ...flags, ...packages],
        this.#home,
      )
      log.info('fetched the AWS SDK', { durationMs: Math.round(clock.monotonicMs() - startedMs) })
    } catch (error) {
      this.#failedAtMs = clock.monotonicMs()
      log.warn('the AWS SDK cannot be had: code that imports it has to bring it', {
        packages: names,
        reason: messageOf(error),
      })
    }
  }
}

/** The provided packages that a package's code imports by name. */
async function importsOf(directory: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  const entries = await readdir(directory, { recursive: true }).catch(() => [])
  let bytes = 0
  for (const entry of entries.filter((name) => /\.[cm]?js$/.test(name)).slice(0, MAX_FILES)) {
    const path = join(directory, entry)
    const { size } = await stat(path).catch(() => ({ size: 0 }))
    if (size > MAX_FILE_BYTES || bytes + size > MAX_BYTES) continue
    bytes += size
    const text = await readFile(path, 'utf8').catch(() => '')
    if (!text.includes('@aws-sdk/')) continue
    for (const [, name = ''] of text.matchAll(PROVIDED)) names.add(name)
  }
  return names
}

async function absent(directory: string, names: ReadonlySet<string>): Promise<string[]> {
  const found = await Promise.all(
    [...names].map(async (name) => ((await exists(join(directory, 'node_modules', name))) ? [] : [name])),
  )
  return found.flat()
}
