import type { Clock, Timer } from '../clock.ts'
import type { Environment } from './environment.ts'
import type { EnvironmentOwner } from './environment-owner.ts'
import type { Launcher } from './launcher.ts'
import type { EnvironmentStarter, NodeBinary } from './starter.ts'

/** After one was taken, its successor waits this long: the cold start it serves has the processor first. */
const REFILL_DELAY_MS = 150
/** A Node version nobody started anything with for this long gets no spares any more. */
const UNUSED_MS = 600_000
/** Starts in a row that failed, after which no further one is tried until somebody asks. */
const MAX_FAILURES = 3

interface Shelf {
  readonly binary: NodeBinary
  readonly ready: Environment[]
  readonly booting: Set<Environment>
  usedAt: number
  failures: number
}

/**
 * Processes that have booted and loaded nothing, a few per Node version: a cold start is then the time to
 * load a code
 * package. Bounded by `perVersion`; refilled in quiet moments.
 */
export class Spares implements EnvironmentOwner<Environment> {
  readonly #shelves = new Map<string, Shelf>()
  readonly #perVersion: number
  readonly #starter: EnvironmentStarter
  readonly #launcher: Launcher
  readonly #clock: Clock
  #refill: Timer | undefined
  #closed = false

  constructor(options: {
    perVersion: number
    starter: EnvironmentStarter
    launcher: Launcher
    clock: Clock
  }) {
    this.#perVersion = options.perVersion
    this.#starter = options.starter
    this.#launcher = options.launcher
    this.#clock = options.clock
  }

  get ready(): Environment[] {
    return [...this.#shelves.values()].flatMap((shelf) => shelf.ready)
  }

  get all(): Environment[] {
    return [...this.#shelves.values()].flatMap((shelf) => [...shelf.ready, ...shelf.booting])
  }

  /** From now on there are spares of this Node version. */
  want(binary: NodeBinary): void {
    const shelf = this.#shelf(binary)
    shelf.failures = 0
    this.#fill(shelf)
  }

  /** A booted process, the caller's from now on; undefined when none is ready. */
  take(binary: NodeBinary): Environment | undefined {
    const shelf = this.#shelf(binary)
    shelf.usedAt = this.#clock.monotonicMs()
    shelf.failures = 0
    const spare = shelf.ready.shift()
    this.#refillLater()
    return spare
  }

  close(): void {
    this.#closed = true
    this.#refill?.cancel()
    for (const environment of this.all) environment.kill()
  }

  // -- from environments

  booted(environment: Environment): void {
    for (const shelf of this.#shelves.values()) {
      if (shelf.booting.delete(environment)) shelf.ready.push(environment)
    }
  }

  stopped(environment: Environment): void {
    for (const shelf of this.#shelves.values()) {
      const index = shelf.ready.indexOf(environment)
      if (index >= 0) shelf.ready.splice(index, 1)
      if (shelf.booting.delete(environment)) shelf.failures += 1
    }
    this.#refillLater()
  }

  loaded(): void {}
  released(): void {}
  startedHeld(): void {}
  returned(): void {}
  codeCache(): void {}
  requested(): void {}

  // -- inside

  #shelf(binary: NodeBinary): Shelf {
    let shelf = this.#shelves.get(binary.nodePath)
    if (shelf === undefined) {
      shelf = { binary, ready: [], booting: new Set(), usedAt: this.#clock.monotonicMs(), failures: 0 }
      this.#shelves.set(binary.nodePath, shelf)
    }
    return shelf
  }

  #refillLater(): void {
    if (this.#closed || this.#refill !== undefined) return
    this.#refill = this.#clock.after(REFILL_DELAY_MS, () => {
      this.#refill = undefined
      for (const shelf of this.#shelves.values()) this.#fill(shelf)
    })
  }

  #fill(shelf: Shelf): void {
    const unused = this.#clock.monotonicMs() - shelf.usedAt > UNUSED_MS
    if (this.#closed || unused || shelf.failures >= MAX_FAILURES) return
    while (shelf.ready.length + shelf.booting.size < this.#perVersion) {
      shelf.booting.add(this.#starter.start({ binary: shelf.binary, launcher: this.#launcher, owner: this }))
    }
  }
}
