import type { EngineProcess } from './engine-process.ts'

/** No answer for this long is a hang. */
const HANG_MS = 30_000

/** One engine that serves, until it is killed. */
export interface Target {
  readonly url: string
  readonly engine: EngineProcess
}

/** What an HTTP call came to: an answer, or a connection that closed. */
export type Reply =
  { kind: 'answer'; status: number; headers: Headers; body: unknown } | { kind: 'closed' } | { kind: 'hung' }

/** One call; an answer that is cut off counts as a closed connection. */
export async function call(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const signal = AbortSignal.timeout(HANG_MS)
  try {
    const payload = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(url, { method, headers, signal, ...payload })
    const text = await response.text()
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    return { kind: 'answer', status: response.status, headers: response.headers, body: parsed }
  } catch (error) {
    if (signal.aborted) return { kind: 'hung' }
    // fetch says TypeError for every connection that breaks; anything else is worth a look.
    if (error instanceof TypeError) return { kind: 'closed' }
    throw error
  }
}

/** How operations went, by kind. Those that a kill met half-way are counted apart. */
export class Tally {
  readonly #counts = new Map<string, { succeeded: number; failed: number; cut: number }>()
  /** Answers that no caller may ever get, and calls without any. */
  readonly wrong: string[] = []
  /** Samples of operations that failed while nobody was killing. */
  readonly failures: string[] = []

  /**
   * Counts one operation that began while `target` served. `problem` is why it failed; undefined when it
   * succeeded.
   */
  count(kind: string, target: Target, reply: Reply, problem: string | undefined): void {
    let counts = this.#counts.get(kind)
    if (counts === undefined) this.#counts.set(kind, (counts = { succeeded: 0, failed: 0, cut: 0 }))
    if (reply.kind === 'hung') this.wrong.push(`${kind}: no answer and no end of the connection`)
    if (problem === undefined) counts.succeeded += 1
    else if (target.engine.killedAt !== undefined) counts.cut += 1
    else {
      counts.failed += 1
      if (this.failures.length < 20) this.failures.push(`${kind}: ${problem}`)
    }
  }

  of(kind: string): { succeeded: number; failed: number; cut: number } {
    return this.#counts.get(kind) ?? { succeeded: 0, failed: 0, cut: 0 }
  }

  get total(): { succeeded: number; failed: number; cut: number } {
    const total = { succeeded: 0, failed: 0, cut: 0 }
    for (const one of this.#counts.values()) {
      total.succeeded += one.succeeded
      total.failed += one.failed
      total.cut += one.cut
    }
    return total
  }

  toString(): string {
    return [...this.#counts]
      .map(
        ([kind, { succeeded, failed, cut }]) =>
          `${kind} ${succeeded}+${cut} cut${failed > 0 ? `+${failed} FAILED` : ''}`,
      )
      .join(', ')
  }
}

/** Why an answer is not the expected status; undefined when it is. */
export function problemOf(reply: Reply, status: number): string | undefined {
  if (reply.kind !== 'answer') return reply.kind
  if (reply.headers.has('x-amz-function-error')) return `function error ${JSON.stringify(reply.body)}`
  return reply.status === status ? undefined : `${reply.status} ${JSON.stringify(reply.body)}`
}

/** Resolves after `delayMs`: what paces the load and spreads the kills. */
export const elapse = (delayMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, delayMs))
