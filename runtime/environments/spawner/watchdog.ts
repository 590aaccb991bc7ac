import { systemClock, type Timer } from '../../clock.ts'
import { descendants, readResident } from './proc.ts'
import type { SpawnedProcess } from './spawned-process.ts'

/** Overshoot past the limit grows with this: 5 to 13 MB at 10 ms, up to 76 MB at 50 ms. */
const TICK_MS = 25
/**
 * Finding the members of all trees reads all of /proc, so it is done every few ticks; their memory is read
 * at each.
 */
const TICKS_PER_SEARCH = 4

/**
 * Bounds memory and the number of processes where the kernel does not do it by itself, and samples how much
 * memory the limited programs use. Stands still while nothing has limits.
 */
export class Watchdog {
  readonly #processes: ReadonlyMap<string, SpawnedProcess>
  #timer: Timer | undefined
  #tick = 0
  #trees = new Map<number, number[]>()

  constructor(processes: ReadonlyMap<string, SpawnedProcess>) {
    this.#processes = processes
  }

  /** Call when a process got limits. */
  wake(): void {
    this.#timer ??= systemClock.every(TICK_MS, () => this.#look())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(): void {
    const searching = this.#tick++ % TICKS_PER_SEARCH === 0
    const limited = [...this.#processes.values()].filter((one) => one.limits !== undefined)
    if (limited.length === 0) return this.stop()
    if (searching) this.#search(limited)
    for (const process of limited) {
      if (process.grouped === 'none') this.#judge(process)
      else if (searching) {
        this.#sample(process)
        process.endIfOutOfMemory()
      }
    }
  }

  #search(limited: readonly SpawnedProcess[]): void {
    const roots = limited
      .filter((one) => one.grouped !== 'memory and processes')
      .map((one) => one.pid)
      .filter((pid) => pid !== undefined)
    this.#trees = roots.length === 0 ? new Map() : descendants(roots)
    for (const process of limited) {
      const members = this.#trees.get(process.pid ?? 0)?.length ?? 0
      if (process.limits !== undefined && members > process.limits.maxProcesses) process.kill()
    }
  }

  #judge(process: SpawnedProcess): void {
    const tree = this.#trees.get(process.pid ?? 0) ?? process.members()
    // Pages that processes share are counted once: those of the largest of them.
    let privateBytes = 0
    let sharedBytes = 0
    for (const pid of tree) {
      const resident = readResident(pid)
      if (resident === undefined) continue
      privateBytes += resident.residentBytes - resident.sharedBytes
      sharedBytes = Math.max(sharedBytes, resident.sharedBytes)
    }
    const bytes = privateBytes + sharedBytes
    process.peakBytes = Math.max(process.peakBytes, bytes)
    const limitMb = process.limits?.memoryMb ?? null
    if (limitMb !== null && bytes > limitMb * 1024 * 1024) process.kill('watchdog')
  }

  #sample(process: SpawnedProcess): void {
    for (const pid of process.members()) {
      process.peakBytes = Math.max(process.peakBytes, readResident(pid)?.residentBytes ?? 0)
    }
  }
}
