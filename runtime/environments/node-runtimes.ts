import { execFile } from 'node:child_process'
import { access, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'

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

const FETCH_LIMIT_MS = 600_000
const LOCK_PAUSE_MS = 250
/**
 * After a failure nobody tries again for so long: a machine without a registry is not asked at each deploy.
 */
const RETRY_AFTER_MS = 600_000

/** @see NodeRuntimes */
export function createNodeRuntimes(options: NodeRuntimesOptions): NodeRuntimes {
  const { clock, rng, log, enginePath = process.execPath } = options
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory()
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

const defaultCacheDirectory = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lambent', 'node')

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
    await run(
      await findNpm(),
      ['pack', `${name}@${fetch.version}`, '--pack-destination', stage, '--silent'],
      stage,
    )
    await mkdir(join(stage, 'home'))
    const archive = join(stage, `${name}-${fetch.version}.tgz`)
    await run(
      'tar',
      ['-xzf', archive, '-C', join(stage, 'home'), '--strip-components=1', 'package/bin/node'],
      stage,
    )
    const printed = await run(join(stage, 'home', 'bin', 'node'), ['--version'], stage)
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

/**
 * Holds `path` against other engines. Waits while its holder lives, unless `isDone` says that there is
 * nothing left to do. A holder that died leaves a file that names a dead process: it is taken over.
 */
async function lockFile(
  path: string,
  { clock, rng }: Fetch,
  isDone: () => Promise<boolean>,
): Promise<AsyncDisposable> {
  const deadlineMs = clock.monotonicMs() + FETCH_LIMIT_MS
  for (;;) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(String(process.pid))
      await file.close()
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // fs rejects with nothing else
    }
    if (await isDone()) return { [Symbol.asyncDispose]: () => Promise.resolve() }
    if (clock.monotonicMs() > deadlineMs) throw new Error(`${path} was held for ${FETCH_LIMIT_MS} ms`)
    if (!(await takeAway(path, rng))) await clock.sleep(LOCK_PAUSE_MS)
  }
}

/**
 * Removes a lock whose holder is dead; false when it lives. Two who try at once do not remove each other's
 * new one.
 */
async function takeAway(path: string, rng: Rng): Promise<boolean> {
  const isHeld = async (lock: string): Promise<boolean> => {
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
    return holder === 0 || isRunning(holder)
  }
  if (await isHeld(path)) return false
  const aside = `${path}.${rng.bytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch {
    // Somebody else was faster.
    return true
  }
  // What was moved may be newer than what was read.
  if (await isHeld(aside)) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
  return true
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // process.kill throws nothing else
  }
}

/** The npm that came with our Node.js, else the one on PATH. */
async function findNpm(): Promise<string> {
  const beside = join(dirname(process.execPath), 'npm')
  return (await exists(beside)) ? beside : 'npm'
}

/**
 * Runs a program with the user's own settings (registry, proxy, certificates) and resolves with what it
 * printed.
 */
function run(command: string, args: readonly string[], directory: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { cwd: directory, timeout: FETCH_LIMIT_MS, maxBuffer: 1 << 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else
          reject(
            new Error(stderr.trim().split('\n').slice(0, 3).join(' ') || error.message, { cause: error }),
          )
      },
    )
  })
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
