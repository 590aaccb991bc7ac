import { parseDuration, type Duration } from '../../../sdk/duration.ts'
import { TimeoutError } from '../../../sdk/errors.ts'
import { ObjectRef } from '../../../sdk/object-ref.ts'
import { after } from '../clock.ts'
import type { Invocation } from '../invocation.ts'
import { RefCell, type CellHome, type CellWaiter } from './ref-cell.ts'

/** How long to wait. */
export interface WaitOptions {
  readonly timeout?: Duration | undefined
  readonly signal?: AbortSignal | undefined
}

/** The cell behind a ref. Throws a TypeError for what is no ref of this process. */
export function cellOf(ref: unknown): RefCell {
  const source = ref instanceof ObjectRef ? ObjectRef.sourceOf(ref) : undefined
  if (source instanceof RefCell) return source
  throw new TypeError(`${describe(ref)} is no ref: give what .remote(…) or put(…) returned.`)
}

/** The value of one ref, or of all in order. Rejects with the first error, and TimeoutError. */
export function getValue(home: CellHome, target: unknown, options?: WaitOptions): Promise<unknown> | unknown {
  if (!Array.isArray(target)) {
    const cell = cellOf(target)
    if (cell.hasSettled) return cell.take()
    if (options === undefined) return new OneWait(home, cell, target as ObjectRef).promise // it has a cell
    return new ManyWait(home, [target as ObjectRef], 1, true, options).promise.then(() => cell.take())
  }
  const cells = target.map(cellOf)
  const failed = cells.find((cell) => cell.hasSettled && cell.hasFailed)
  if (failed !== undefined) return failed.take()
  const take = (): unknown[] => cells.map((cell) => cell.take())
  const wait = new ManyWait(home, target as ObjectRef[], cells.length, true, options ?? {}) // they have cells
  return wait.promise.then(take)
}

/** Which of `refs` are there once `count` are, or when the time is over. An error counts as being there. */
export async function waitFor(
  home: CellHome,
  refs: readonly ObjectRef[],
  options: WaitOptions & { count?: number },
): Promise<{ ready: ObjectRef[]; pending: ObjectRef[] }> {
  const { count = 1 } = options
  if (!Array.isArray(refs)) throw new TypeError('wait takes a list of refs.')
  if (!Number.isInteger(count) || count < 0 || count > refs.length)
    throw new RangeError(`wait cannot wait for ${count} of ${refs.length} refs.`)
  const cells = refs.map(cellOf)
  try {
    await new ManyWait(home, refs, count, false, options).promise
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
  }
  const ready = refs.filter((_ref, index) => cells[index]?.hasSettled)
  return { ready, pending: refs.filter((_ref, index) => !cells[index]?.hasSettled) }
}

/** The common wait: for one ref, as long as it takes. */
class OneWait implements CellWaiter {
  readonly promise: Promise<unknown>
  /** Kept, so that it is not given up as forgotten meanwhile. */
  readonly ref: ObjectRef
  readonly #home: CellHome
  readonly #invocation: Invocation | undefined
  #resolve: (value: unknown) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(home: CellHome, cell: RefCell, ref: ObjectRef) {
    this.#home = home
    this.ref = ref
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    cell.whenSettled(this)
    if (home.lending === undefined) return
    this.#invocation = home.current()
    home.lending.began(this.#invocation)
  }

  settled(cell: RefCell): void {
    const { lending } = this.#home
    if (lending === undefined) this.#finish(cell)
    else lending.resume(this.#invocation, () => this.#finish(cell))
  }

  #finish(cell: RefCell): void {
    let value: unknown
    try {
      value = cell.take()
    } catch (error) {
      return this.#reject(error)
    }
    this.#resolve(value)
  }
}

/** A wait for several, or with an end. */
class ManyWait implements CellWaiter {
  readonly promise: Promise<void>
  /** Kept, so that none is given up as forgotten meanwhile. */
  readonly refs: readonly ObjectRef[]
  readonly #home: CellHome
  readonly #cells: readonly RefCell[]
  readonly #failsFast: boolean
  readonly #signal: AbortSignal | undefined
  #invocation: Invocation | undefined
  #missing: number
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #hasEnded = false
  #cancelTimer: (() => void) | undefined

  constructor(
    home: CellHome,
    refs: readonly ObjectRef[],
    count: number,
    failsFast: boolean,
    { timeout, signal }: WaitOptions,
  ) {
    const cells = refs.map(cellOf)
    this.#home = home
    this.refs = refs
    this.#cells = cells
    this.#failsFast = failsFast
    this.#signal = signal
    const timeoutMs = timeout === undefined ? null : parseDuration(timeout)
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const open = cells.filter((cell) => !cell.hasSettled)
    this.#missing = count - (cells.length - open.length)
    if (this.#missing <= 0 || signal?.aborted === true) {
      this.#hasEnded = true
      if (this.#missing <= 0) this.#resolve()
      else this.#reject(signal?.reason)
      return
    }
    this.#invocation = home.current()
    home.lending?.began(this.#invocation)
    if (timeoutMs !== null) this.#cancelTimer = after(timeoutMs, () => this.#expire(timeoutMs))
    signal?.addEventListener('abort', this.#abort, { once: true })
    for (const cell of open) cell.whenSettled(this)
  }

  settled(cell: RefCell): void {
    if (this.#hasEnded) return
    this.#missing -= 1
    if (this.#missing <= 0 || (this.#failsFast && cell.hasFailed)) this.#end(() => this.#decide(cell))
  }

  #decide(last: RefCell): void {
    if (!this.#failsFast || !last.hasFailed) return this.#resolve()
    try {
      last.take()
    } catch (error) {
      this.#reject(error)
    }
  }

  #expire(timeoutMs: number): void {
    const open = this.#cells.filter((cell) => !cell.hasSettled)
    const [first] = open
    const others = open.length > 1 ? ` and ${open.length - 1} more of ${this.#cells.length}` : ''
    const what = `${first?.description ?? 'nothing'}${others}`
    this.#end(() =>
      this.#reject(
        new TimeoutError(
          `Waited ${timeoutMs} ms for ${what}: it is not there yet. The work goes on; wait again, or cancel it.`,
        ),
      ),
    )
  }

  readonly #abort = (): void => this.#end(() => this.#reject(this.#signal?.reason))

  #end(then: () => void): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#cancelTimer?.()
    this.#signal?.removeEventListener('abort', this.#abort)
    for (const cell of this.#cells) if (!cell.hasSettled) cell.ignore(this)
    const { lending } = this.#home
    if (lending === undefined) then()
    else lending.resume(this.#invocation, then)
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  return typeof value === 'object' && value !== null ? 'This object' : String(value)
}
