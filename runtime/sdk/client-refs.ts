import { randomUUID } from 'node:crypto'
import { LambentError, TimeoutError } from './client-errors.ts'
import { startDeadline, type Deadline, type WaitOptions } from './client-wait.ts'
import { parseAnswer, type Wire } from './client-wire.ts'

/** One request waits at most this long for a value; the next one goes on waiting. */
const LONGEST_WAIT_MS = 30_000

/** Stands for a value that the engine makes or keeps. Its results are kept for an hour unless released. */
export class ClientRef<T = unknown> {
  /** Only the type of the value is here. */
  declare readonly value?: T
  /** The value's id, once the engine has accepted what makes it. */
  readonly id: Promise<string>

  constructor(id: Promise<string>) {
    this.id = id
    // Whoever asks for the value is told; nobody has to.
    id.catch(() => {})
  }
}

/** What the refs of an array stand for. */
export type ValuesOf<Refs extends readonly ClientRef[]> = {
  -readonly [Index in keyof Refs]: Refs[Index] extends ClientRef<infer T> ? T : never
}

/** Which of some refs have ended, well or badly, in the order given. */
export interface Waited<T> {
  readonly ready: ClientRef<T>[]
  readonly pending: ClientRef<T>[]
}

/** Values of an engine, from outside. */
export interface ObjectCalls {
  /** The value; rejects with what made it failing, or with a TimeoutError. */
  get<T>(ref: ClientRef<T>, options?: WaitOptions): Promise<T>
  /** All values, in order; rejects with the first error. */
  get<const Refs extends readonly ClientRef[]>(refs: Refs, options?: WaitOptions): Promise<ValuesOf<Refs>>
  /** Bytes as they are, anything else as JSON. */
  put<T>(value: T, options?: { signal?: AbortSignal }): Promise<ClientRef<T>>
  /** Resolves when `count` of them (1) have ended, or the time is over. */
  wait<T>(refs: readonly ClientRef<T>[], options?: WaitOptions & { count?: number }): Promise<Waited<T>>
  /**
   * Ends the task that makes the value: one that waits never runs, one that runs has its signal aborted.
   * `force` kills its process; what it started ends too unless `recursive` is false.
   */
  cancel(
    ref: ClientRef,
    options?: { force?: boolean; recursive?: boolean; signal?: AbortSignal },
  ): Promise<void>
  /** The value is not needed any more. */
  release(ref: ClientRef, options?: { signal?: AbortSignal }): Promise<void>
}

/** The object calls of one engine. */
export function objectCalls(wire: Wire): ObjectCalls {
  const getOne = async (ref: ClientRef, options: WaitOptions): Promise<unknown> => {
    using deadline = startDeadline('Getting a value', options)
    return await valueOf(wire, ref, deadline)
  }
  return {
    async get(refs: ClientRef | readonly ClientRef[], options: WaitOptions = {}): Promise<never> {
      const values = Array.isArray(refs)
        ? await Promise.all((refs as readonly ClientRef[]).map((ref) => getOne(ref, options)))
        : await getOne(refs as ClientRef, options)
      return values as never // the overloads say what the refs stand for
    },
    async put<T>(value: T, { signal }: { signal?: AbortSignal } = {}) {
      const id = randomUUID()
      const isBytes = value instanceof Uint8Array
      const body = isBytes ? value : JSON.stringify(value)
      if (body === undefined) throw new TypeError('That value has no JSON form: send bytes or JSON.')
      const type = isBytes ? 'application/octet-stream' : 'application/json'
      const headers = { 'content-type': type }
      await wire.call(`/lambent/v1/objects/${id}`, { method: 'PUT', headers, body, signal })
      return new ClientRef<T>(Promise.resolve(id))
    },
    wait: (refs, options = {}) => waitFor(wire, refs, options),
    async cancel(ref, { force = false, recursive = true, signal } = {}) {
      const query = { force: force ? '1' : '0', recursive: recursive ? '1' : '0' }
      const path = `/lambent/v1/objects/${encodeURIComponent(await ref.id)}/cancel`
      await wire.call(path, { method: 'POST', query, signal })
    },
    async release(ref, { signal } = {}) {
      const path = `/lambent/v1/objects/${encodeURIComponent(await ref.id)}`
      await wire.call(path, { method: 'DELETE', signal })
    },
  }
}

async function valueOf(wire: Wire, ref: ClientRef, deadline: Deadline): Promise<unknown> {
  const id = await Promise.race([ref.id, aborted(deadline.signal)])
  for (;;) {
    const waitMs = Math.max(0, Math.min(LONGEST_WAIT_MS, Math.floor(deadline.leftMs())))
    try {
      const answer = await wire.call(`/lambent/v1/objects/${encodeURIComponent(id)}`, {
        query: { wait: `${waitMs}ms` },
        signal: deadline.signal,
      })
      if (answer.status === 204) return undefined
      const type = String(answer.headers['content-type'] ?? '')
      return type.startsWith('application/octet-stream') ? new Uint8Array(answer.body) : parseAnswer(answer)
    } catch (error) {
      // The engine's own patience has ended, not ours.
      if (!(error instanceof TimeoutError) || deadline.signal.aborted || deadline.leftMs() <= 0) throw error
    }
  }
}

async function waitFor<T>(
  wire: Wire,
  refs: readonly ClientRef<T>[],
  { count = 1, ...options }: WaitOptions & { count?: number },
): Promise<Waited<T>> {
  if (!Number.isInteger(count) || count < 0 || count > refs.length)
    throw new RangeError(`count is ${count}: it must be between 0 and the number of refs, ${refs.length}.`)
  const ended = new Set<ClientRef<T>>()
  const enough = new AbortController()
  using deadline = startDeadline('Waiting', { ...options, signal: join(options.signal, enough.signal) })
  const each = refs.map(async (ref) => {
    try {
      await valueOf(wire, ref, deadline)
    } catch (error) {
      if (deadline.signal.aborted) return
      if (error instanceof LambentError && error.status === 0) throw error // nobody answers
    }
    ended.add(ref)
    if (ended.size >= count) enough.abort()
  })
  if (count > 0) await Promise.all(each)
  else enough.abort()
  options.signal?.throwIfAborted()
  return { ready: refs.filter((ref) => ended.has(ref)), pending: refs.filter((ref) => !ended.has(ref)) }
}

const join = (given: AbortSignal | undefined, own: AbortSignal): AbortSignal =>
  given === undefined ? own : AbortSignal.any([given, own])

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
