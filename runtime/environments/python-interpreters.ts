import { execFile } from 'node:child_process'
import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

/** A Python of this machine that environments can start. */
export interface PythonInterpreter {
  readonly path: string
  /** `3.11.2` */
  readonly version: string
}

/** Folders beside those in PATH. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin']
/** Folders that an environment has its own of. */
const HIDDEN_FOLDERS = ['/tmp', '/run', '/opt', '/dev', '/proc', '/var/tmp']
const ANSWER_LIMIT_MS = 10_000
const READ_AND_EXECUTE_BY_ALL = 0o005

/** Finds the machine's Python for runtime identifiers. */
export class PythonInterpreters {
  readonly #log: Log
  readonly #folders: readonly string[]
  readonly #found = new Map<string, Promise<PythonInterpreter | undefined>>()

  constructor(options: { log: Log; folders?: readonly string[] }) {
    this.#log = options.log
    const ofPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
    this.#folders = options.folders ?? [...new Set([...ofPath, ...USUAL_FOLDERS])]
  }

  /**
   * The interpreter of the version that `runtime` (`python3.12`) asks for, else the newest there is, which
   * is said once; undefined when there is none.
   */
  resolve(runtime: string): Promise<PythonInterpreter | undefined> {
    let found = this.#found.get(runtime)
    if (found === undefined) {
      found = this.#find(runtime)
      this.#found.set(runtime, found)
    }
    return found
  }

  async #find(runtime: string): Promise<PythonInterpreter | undefined> {
    const wanted = runtime.replace('python', '')
    for (const path of this.#candidates(runtime)) {
      const version = await this.#versionOf(path)
      if (version === undefined) continue
      if (!version.startsWith(`${wanted}.`)) {
        const event = 'a Python version is not there: functions that ask for it run on the machine’s own'
        this.#log.warn(event, { wanted, used: version, path })
      }
      return { path, version }
    }
    return undefined
  }

  /** What may be it, best first: the exact version, then the machine's choice, then newer before older. */
  #candidates(runtime: string): string[] {
    const minor = (name: string): number => Number(/^python3\.(\d+)$/.exec(name)?.[1] ?? 0)
    const others = this.#folders
      .flatMap((folder) => namesIn(folder))
      .filter((name) => minor(name) > 0)
      .toSorted((left, right) => minor(right) - minor(left))
    const names = [...new Set([runtime, 'python3', ...others])]
    return names.flatMap((name) => this.#folders.map((folder) => join(folder, name)).filter(isReachable))
  }

  #versionOf(path: string): Promise<string | undefined> {
    const script = 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
    return new Promise((resolve) => {
      execFile(path, ['-c', script], { timeout: ANSWER_LIMIT_MS }, (error, stdout) => {
        if (error !== null) this.#log.debug('a Python does not start', { path, message: messageOf(error) })
        const version = stdout.trim()
        resolve(error === null && /^3\.\d+\.\d+$/.test(version) ? version : undefined)
      })
    })
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/**
 * Whether an environment can start the file: it sees the folder, and as another user than root may go there.
 */
function isReachable(path: string): boolean {
  try {
    const real = realpathSync(path)
    const hidden = [path, real].some((one) => HIDDEN_FOLDERS.some((folder) => one.startsWith(`${folder}/`)))
    if (hidden) return false
    accessSync(real, constants.X_OK)
    return process.getuid?.() !== 0 || [path, real].every(isOpenToAll)
  } catch {
    return false
  }
}

function isOpenToAll(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & READ_AND_EXECUTE_BY_ALL) !== READ_AND_EXECUTE_BY_ALL) return false
    if (at === '/') return true
  }
}
