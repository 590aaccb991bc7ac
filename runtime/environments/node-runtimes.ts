import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import { exists, findNpm, lockFile, runProgram, userCache } from './npm-cache.ts'

/** A Node.js that runs a runtime identifier. */
export interface NodeRuntime {
  readonly nodePath: string
  /** `v22.1.0`, as `node --version` prints it. */
  readonly version: string
  /** True when the right major version cannot be had and the engine's own runs it instead. */
  readonly fallback: boolean
}

/** Finds the Node.js for a runtime identifier. */
export interface NodeRuntimes {
  /**
   * The binary for `nodejs22.x` and the like: the engine's own when its major version matches, else one
   * that is fetched once and kept for every data directory. Never rejects: what cannot be had falls back to
   * the engine's own.
   */
  resolve(runtime: string): Promise<NodeRuntime>
}

/** What finding and fetching Node.js needs; the defaults are for an engine. */
export interface NodeRuntimesOptions {
  /** Absolute; `$XDG_CACHE_HOME/lambent/node` by default, shared by all engines of a user. */
  cacheDirectory?: string
  /** The engine's own Node.js. */
  enginePath?: string
  clock: Clock
  rng: Rng
  log: Log
}

/** The newest release of each line that was tried; a newer one comes with a new engine. */
const VERSIONS: Readonly<Record<string, string>> = {
  20: '20.20.2',
  22: '22.23.3',
  24: '24.21.0',
  26: '26.10.0',
}

/**
 * After a failure nobody tries again for so long: a machine without a registry is not asked at each deploy.
 */
const RETRY_AFTER_MS = 600_000

/** @see NodeRuntimes */
export function createNodeRuntimes(options: NodeRuntimesOptions): NodeRuntimes {
  const { clock, rng, log, enginePath = process.execPath } = options
  const cacheDirectory = options.cacheDirectory ?? userCache('node')
  const own = { nodePath: enginePath, version: process.version }
  const found = new Map<string, Promise<NodeRuntime>>()
  const announced = new Set<string>()

  async function obtain(major: string, version: string): Promise<NodeRuntime> {
    try {
      const nodePath = await fetchNode({ cacheDirectory, version, clock, rng, log })
      return { nodePath, version: `v${version}`, fallback: false }
    } catch (error) {
      if (!announced.has(major)) {
        announced.add(major)
        log.warn('a Node.js version cannot be had: functions that ask for it run on the engine’s own', {
          wanted: version,
          used: own.version,
          reason: messageOf(error),
        })
      }
      clock.after(RETRY_AFTER_MS, () => found.delete(major))
      return { ...own, fallback: true }
    }
  }

  return {
    resolve(runtime) {
      const major = /^nodejs(\d+)\.x$/.exec(runtime)?.[1]
      const version = major === undefined ? undefined : VERSIONS[major]
      if (major === undefined || own.version.startsWith(`v${major}.`)) {
        return Promise.resolve({ ...own, fallback: major === undefined })
      }
      if (version === undefined) return Promise.resolve({ ...own, fallback: true })
      let pending = found.get(major)
      if (pending === undefined) {
        pending = obtain(major, version)
        found.set(major, pending)
      }
      return pending
    },
  }
}

interface Fetch {
  readonly cacheDirectory: string
  readonly version: string
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
}

/** The path of the binary, fetched and tried unless it lies in the cache already. */
async function fetchNode(fetch: Fetch): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  const home = join(fetch.cacheDirectory, `${name}@${fetch.version}`)
  const nodePath = join(home, 'bin', 'node')
  if (await exists(nodePath)) return nodePath
  await mkdir(fetch.cacheDirectory, { recursive: true })
  await using _lock = await lockFile(`${home}.lock`, fetch, () => exists(nodePath))
  if (await exists(nodePath)) return nodePath
  const startedMs = fetch.clock.monotonicMs()
  fetch.log.info('fetching Node.js', { package: name, version: fetch.version })
  const stage = join(fetch.cacheDirectory, `fetching-${fetch.rng.bytes(6).toString('hex')}`)
  await mkdir(stage)
  try {
    await runProgram(
      await findNpm(),
      ['pack', `${name}@${fetch.version}`, '--pack-destination', stage, '--silent'],
      stage,
    )
    await mkdir(join(stage, 'home'))
    const archive = join(stage, `${name}-${fetch.version}.tgz`)
    await runProgram(
      'tar',
      ['-xzf', archive, '-C', join(stage, 'home'), '--strip-components=1', 'package/bin/node'],
      stage,
    )
    const printed = await runProgram(join(stage, 'home', 'bin', 'node'), ['--version'], stage)
    if (printed.trim() !== `v${fetch.version}`) {
      throw new Error(`${name}@${fetch.version} says it is ${printed.trim()}`)
    }
    await rename(join(stage, 'home'), home).catch(async (error: unknown) => {
      // Whoever was first has put the same there.
      if (!(await exists(nodePath))) throw error
    })
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
  fetch.log.info('fetched Node.js', {
    version: fetch.version,
    durationMs: Math.round(fetch.clock.monotonicMs() - startedMs),
  })
  return nodePath
}
