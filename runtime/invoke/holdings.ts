import type { Environment } from '../environments/environment.ts'
import type { Holdings, Invocation } from '../environments/invocation.ts'
import { RefHolder, type ObjectEntry, type ObjectTable, type ObjectWaiter } from '../objects/object-table.ts'

/** What is ended with the code that began it, other than refs. */
export interface Ending {
  end(): void
}

/** What the code of one invocation has in the engine: refs, waits, and streams that it reads. */
export class CodeHoldings implements Holdings {
  readonly refs: RefHolder
  /** Refs that it asked for and that are pending. */
  readonly waits = new Set<RefWait>()
  readonly streams = new Set<Ending>()
  hasEnded = false
  /** Of a process: tasks that its code asked for and that have not ended. */
  openTasks = 0

  constructor(objects: ObjectTable) {
    this.refs = new RefHolder(objects)
  }

  end(): void {
    this.hasEnded = true
    for (const wait of this.waits) wait.entry.ignore(wait)
    this.waits.clear()
    for (const stream of this.streams) stream.end()
    this.streams.clear()
    this.refs.end()
  }
}

/** A `get` of a ref that is not there yet. */
export class RefWait implements ObjectWaiter {
  readonly entry: ObjectEntry
  readonly invocation: Invocation | undefined
  readonly #environment: Environment
  readonly #id: number
  readonly #holdings: CodeHoldings

  constructor(options: {
    entry: ObjectEntry
    environment: Environment
    invocation: Invocation | undefined
    id: number
    holdings: CodeHoldings
  }) {
    this.entry = options.entry
    this.invocation = options.invocation
    this.#environment = options.environment
    this.#id = options.id
    this.#holdings = options.holdings
  }

  settled(entry: ObjectEntry): void {
    this.#holdings.waits.delete(this)
    hand(this.#environment, this.#id, entry, this.#holdings)
  }

  /** It is answered with an error in place of what it waits for. */
  fail(error: Buffer, flags: number): void {
    this.#holdings.waits.delete(this)
    this.entry.ignore(this)
    this.#environment.connection?.answer(this.#id, flags, error)
  }
}

/** Answers request `id` with what a ref became; whoever has a value holds the refs in it, too. */
export function hand(
  environment: Environment,
  id: number,
  entry: ObjectEntry,
  holdings: CodeHoldings | undefined,
): void {
  if (environment.state === 'stopped') return
  if (holdings !== undefined && !holdings.hasEnded) for (const one of entry.inner) holdings.refs.hold(one)
  environment.connection?.answer(id, entry.flags, entry.body)
}

/** The invocation of that number in `environment`; undefined when it runs none. */
export function invocationOf(environment: Environment, run: string | undefined): Invocation | undefined {
  if (run === undefined || run === '0' || run === '') return undefined
  const number = Number(run)
  for (const one of environment.inFlight) if (one.id === number) return one
  return undefined
}

/** What the code of `invocation` has, or, outside of any, what its process has. */
export function holdingsOf(
  objects: ObjectTable,
  environment: Environment,
  invocation: Invocation | undefined,
): CodeHoldings {
  const owner = invocation ?? environment
  if (owner.holdings instanceof CodeHoldings) return owner.holdings
  const holdings = new CodeHoldings(objects)
  owner.holdings = holdings
  return holdings
}
