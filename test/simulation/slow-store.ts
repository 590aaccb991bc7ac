import { EngineError } from '../../runtime/errors.ts'
import type { OpenStore } from '../../runtime/store/open.ts'
import type { Change, Store } from '../../runtime/store/store.ts'

/** A set on its way to the disk. */
interface Pending {
  readonly changes: readonly Change[]
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Hears of what the disk has; who handed it in does not know yet. */
export type DiskWatch = (changes: readonly Change[]) => void

/**
 * The engine's own store, which a simulation lets write: sets wait in order, are on disk, and then told to be
 * on disk. An engine can end between any two of these.
 */
export class SlowStore {
  readonly #inner: OpenStore
  readonly #watch: DiskWatch
  readonly #change: (changes: readonly Change[]) => readonly Change[]
  #waiting: Pending[] = []
  #kept: Pending[] = []
  /** What an engine that has ended had handed in, and what comes although it has ended. */
  #stale: Pending[] = []
  #lives = 0

  /** `change` is what a planted bug does to a set. */
  constructor(
    inner: OpenStore,
    watch: DiskWatch,
    change: (changes: readonly Change[]) => readonly Change[] = (changes) => changes,
  ) {
    this.#inner = inner
    this.#watch = watch
    this.#change = change
  }

  /** Sets that are not told to be on disk. */
  get size(): number {
    return this.#waiting.length + this.#kept.length
  }

  /** The store of the next engine. `tellsEarly` is a planted bug: it says at once that all is well. */
  open(tellsEarly = false): Store {
    const life = ++this.#lives
    const hand = (pending: Pending): void => {
      if (life === this.#lives) this.#waiting.push(pending)
    }
    return {
      commit: (changes) =>
        new Promise((resolve, reject) => {
          hand({ changes: this.#change(changes), resolve, reject })
          if (tellsEarly) resolve()
        }),
      append: (changes) => hand({ changes, resolve: NOTHING, reject: NOTHING }),
      reader: this.#inner.reader,
      bootEpoch: this.#inner.bootEpoch + life,
      close: () => Promise.resolve(),
    }
  }

  /** Tells what is on disk, then writes so many sets more. `fails`: the disk takes none of them. */
  async write(count: number, fails = false): Promise<void> {
    for (const { resolve } of this.#kept.splice(0)) resolve()
    for (const pending of this.#waiting.splice(0, count)) {
      if (fails) pending.reject(new EngineError('unavailable', 'The disk is full.'))
      else {
        const error = await this.#keep(pending)
        if (error === undefined) this.#kept.push(pending)
        else pending.reject(error)
      }
    }
  }

  /**
   * The engine ends. So many sets more came to the disk; `staleWhen` says which of the others may still be
   * handed in late.
   */
  async crash(count: number, staleWhen: (changes: readonly Change[]) => boolean): Promise<void> {
    this.#kept = []
    for (const pending of this.#waiting.splice(0, count)) await this.#keep(pending)
    this.#stale.push(...this.#waiting.splice(0).filter(({ changes }) => staleWhen(changes)))
  }

  /**
   * Something of an engine that has ended comes to the disk, if `isDue` says so of it. `isTaken` is a planted
   * bug: nothing fences it.
   */
  async late(isDue: (changes: readonly Change[]) => boolean, isTaken: boolean): Promise<void> {
    const index = this.#stale.findIndex(({ changes }) => isDue(changes))
    const [pending] = index < 0 ? [] : this.#stale.splice(index, 1)
    if (pending === undefined) return
    const { changes } = pending
    const taken = isTaken ? changes.filter(([statement]) => statement !== 'fenceActor') : changes
    await this.#keep({ ...pending, changes: taken })
  }

  /** Why it was not kept; undefined when it was. */
  async #keep({ changes }: Pending): Promise<Error | undefined> {
    try {
      await this.#inner.commit(changes)
    } catch (error) {
      return error as Error // a store rejects with errors
    }
    this.#watch(changes)
    return undefined
  }
}

const NOTHING = (): void => {}
