import { readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../clock.ts'
import type { CgroupPlace } from './protocol.ts'

/** A group of the kernel's own accounting is busy for a moment after its last process has gone. */
const REMOVE_ATTEMPTS = 20
const REMOVE_PAUSE_MS = 10

/** The control group of one environment: exact limits, and exact word on who ran out of memory. */
export class ControlGroup {
  readonly #place: CgroupPlace
  readonly #memory: string
  readonly #pids: string | null

  private constructor(place: CgroupPlace, name: string) {
    this.#place = place
    this.#memory = join(place.memory, name)
    this.#pids = place.pids === null ? null : join(place.pids, name)
  }

  /** Makes the group, empty. */
  static async make(place: CgroupPlace, id: string): Promise<ControlGroup> {
    const group = new ControlGroup(place, `${place.prefix}${id}`)
    const folders = group.#folders()
    for (const folder of folders) await mkdir(folder, { recursive: true })
    return group
  }

  /** One that is gone already is no error. */
  async #adopt(pid: number): Promise<void> {
    for (const folder of this.#folders()) {
      try {
        await writeFile(join(folder, 'cgroup.procs'), String(pid))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // fs rejects with nothing else
      }
    }
  }

  /**
   * Moves in whoever is not in already, with its threads and what it starts from then on: moving takes the
   * kernel milliseconds, looking does not.
   */
  async adoptMissing(pids: readonly number[]): Promise<void> {
    const present = new Set(
      (await readFile(join(this.#memory, 'cgroup.procs'), 'utf8')).split('\n').map(Number),
    )
    for (const pid of pids) if (!present.has(pid)) await this.#adopt(pid)
  }

  async limit(memoryMb: number | null, maxProcesses: number): Promise<void> {
    const bytes = memoryMb === null ? undefined : String(memoryMb * 1024 * 1024)
    if (this.#place.version === 1) {
      await writeFile(join(this.#memory, 'memory.limit_in_bytes'), bytes ?? '-1')
      // Whoever wants more stands still until the watchdog ends the whole tree: a kernel that kills one
      // process of it would leave a program behind that cannot know why its child is gone.
      await writeFile(join(this.#memory, 'memory.oom_control'), bytes === undefined ? '0' : '1')
    } else {
      await writeFile(join(this.#memory, 'memory.max'), bytes ?? 'max')
      await writeFile(join(this.#memory, 'memory.swap.max'), bytes === undefined ? 'max' : '0').catch(absent)
      await writeFile(join(this.#memory, 'memory.oom.group'), bytes === undefined ? '0' : '1').catch(absent)
    }
    if (this.#pids !== null) await writeFile(join(this.#pids, 'pids.max'), String(maxProcesses))
  }

  /** Whether the number of processes is bounded here. */
  get boundsProcesses(): boolean {
    return this.#pids !== null
  }

  /**
   * Whether somebody in it stands still because the memory is used up: version 1 alone leaves the killing
   * to us.
   */
  isOutOfMemory(): boolean {
    if (this.#place.version !== 1) return false
    try {
      return /^under_oom 1/m.test(readFileSync(join(this.#memory, 'memory.oom_control'), 'latin1'))
    } catch {
      return false // removed meanwhile
    }
  }

  /** How many processes the kernel killed for memory, and the most that was ever in use. */
  async outcome(): Promise<{ kills: number; peakBytes: number }> {
    const [events, peak] =
      this.#place.version === 1
        ? ['memory.oom_control', 'memory.max_usage_in_bytes']
        : ['memory.events', 'memory.peak']
    const kills = /^oom_kill (\d+)/m.exec(await readFile(join(this.#memory, events), 'utf8').catch(absent))
    const peakBytes = Number(await readFile(join(this.#memory, peak), 'utf8').catch(absent))
    return { kills: Number(kills?.[1] ?? 0), peakBytes }
  }

  async remove(): Promise<void> {
    for (const folder of this.#folders()) {
      for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
        const gone = await rmdir(folder).then(
          () => true,
          (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
        )
        if (gone) break
        await systemClock.sleep(REMOVE_PAUSE_MS)
      }
    }
  }

  #folders(): string[] {
    return [...new Set([this.#memory, this.#pids].filter((folder) => folder !== null))]
  }
}

/** Removes the groups that an earlier engine of the same data directory left; those still in use stay. */
export function removeLeftoverGroups(place: CgroupPlace): void {
  for (const parent of new Set([place.memory, place.pids])) {
    if (parent === null) continue
    for (const name of readdirSync(parent)) {
      if (!name.startsWith(place.prefix)) continue
      try {
        if (readFileSync(join(parent, name, 'cgroup.procs'), 'utf8') === '') rmdirSync(join(parent, name))
      } catch {
        // Still in use, or gone by itself: the next start looks again.
      }
    }
  }
}

/** A file that this kernel does not have reads as empty. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}
