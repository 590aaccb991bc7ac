import { lchown, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { removeFolder, type EnvironmentFolder } from './environment-folder.ts'

/** How many of them wait, and for how long. */
const MAX_KEPT = 32
const KEPT_MS = 300_000
/** A /tmp of more entries is not taken over: giving each to another user would take too long. */
const MAX_ENTRIES = 10_000

/**
 * Folders of environments that have ended. They are removed, off everybody's path; but where an environment
 * broke, the next one of its function finds the /tmp that it left, as in Lambda's sandboxes.
 */
export class SpentFolders {
  readonly #directory: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #removals = new Set<Promise<void>>()
  /** Those that wait, oldest first. */
  readonly #kept = new Set<KeptFolder>()
  #count = 0

  /** `directory` is where folders wait; on the file system that environments have theirs on. */
  constructor(options: { directory: string; clock: Clock; log: Log }) {
    this.#directory = options.directory
    this.#clock = options.clock
    this.#log = options.log
  }

  /** Removes a folder; the result need not be awaited. */
  remove(path: string): Promise<void> {
    return this.#track(removeFolder(path, this.#log))
  }

  /** Removes the folder of an environment, but its /tmp waits for `heir` to take it over, if there is one. */
  release(folder: EnvironmentFolder, heir: string | undefined): Promise<void> {
    if (heir === undefined) return this.remove(folder.path)
    const kept = this.#keep(folder.temporaryDirectory, heir)
    // What cannot be kept is removed with the rest.
    const removal = kept.path
      .catch(() => void this.#kept.delete(kept))
      .then(() => removeFolder(folder.path, this.#log))
    return this.#track(removal)
  }

  /**
   * Moves what waits for `heir`, the latest, into `target`, as files of `uid` (ours when null). What cannot
   * be moved is lost: it is a cache, whatever a function keeps there.
   */
  async handOver(heir: string, target: string, uid: number | null): Promise<void> {
    const kept = [...this.#kept].findLast((one) => one.heir === heir)
    if (kept === undefined) return
    this.#kept.delete(kept)
    try {
      const path = await kept.path
      if (uid !== null && !(await giveTo(path, uid))) return
      for (const name of await readdir(path)) {
        if (!name.startsWith('.lambent-')) await rename(join(path, name), join(target, name))
      }
    } catch (error) {
      this.#log.debug('a /tmp was not taken over', { message: messageOf(error) })
    } finally {
      this.#discard(kept)
    }
  }

  /** Resolves when nothing is being removed any more, and nothing waits. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals)
    await removeFolder(this.#directory, this.#log)
  }

  #track(removal: Promise<void>): Promise<void> {
    const tracked = removal.finally(() => this.#removals.delete(tracked))
    this.#removals.add(tracked)
    return tracked
  }

  #keep(temporary: string, heir: string): KeptFolder {
    this.#count += 1
    const kept: KeptFolder = { heir, path: this.#move(temporary, join(this.#directory, String(this.#count))) }
    this.#kept.add(kept)
    this.#clock.after(KEPT_MS, () => this.#discard(kept))
    const [oldest] = this.#kept
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#discard(oldest)
    return kept
  }

  async #move(from: string, to: string): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await rename(from, to)
    return to
  }

  #discard(kept: KeptFolder): void {
    this.#kept.delete(kept)
    void kept.path.then(
      (path) => this.remove(path),
      () => {}, // never moved: removed with its environment's folder
    )
  }
}

interface KeptFolder {
  /** Key of those who may take it over. */
  readonly heir: string
  readonly path: Promise<string>
}

/** Gives everything below `folder` to a user, links themselves and not what they point at. */
async function giveTo(folder: string, uid: number): Promise<boolean> {
  const folders = [folder]
  let entries = 0
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      entries += 1
      if (entries > MAX_ENTRIES) return false
      const path = join(at, entry.name)
      await lchown(path, uid, uid)
      if (entry.isDirectory()) folders.push(path)
    }
  }
  return true
}
