import { execFile } from 'node:child_process'
import { access, link, open, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Rng } from '../rng.ts'

const FETCH_LIMIT_MS = 600_000
const LOCK_PAUSE_MS = 250

/** Where what is fetched is kept for all engines of a user: `$XDG_CACHE_HOME/lambent/<name>`. */
export const userCache = (name: string): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lambent', name)

/**
 * Holds `path` against other engines. Waits while its holder lives, unless `isDone` says that there is
 * nothing left to do. A holder that died leaves a file that names a dead process: it is taken over.
 */
export async function lockFile(
  path: string,
  { clock, rng }: { readonly clock: Clock; readonly rng: Rng },
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
export async function findNpm(): Promise<string> {
  const beside = join(dirname(process.execPath), 'npm')
  return (await exists(beside)) ? beside : 'npm'
}

/**
 * Runs a program with the user's own settings (registry, proxy, certificates) and resolves with what it
 * printed.
 */
export function runProgram(command: string, args: readonly string[], directory: string): Promise<string> {
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

/** Whether there is something at `path`. */
export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
