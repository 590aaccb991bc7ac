/** Who waits until nothing of a function is being prepared, by function id. */
export class Settling {
  readonly #open = new Map<string, { promise: Promise<void>; settle: () => void }>()

  /** Something of the function is being prepared from now on. */
  begin(functionId: string): void {
    if (this.#open.has(functionId)) return
    let settle = (): void => undefined
    const promise = new Promise<void>((resolve) => (settle = resolve))
    this.#open.set(functionId, { promise, settle })
  }

  /** Nothing is any more: whoever waits goes on. */
  end(functionId: string): void {
    this.#open.get(functionId)?.settle()
    this.#open.delete(functionId)
  }

  endAll(): void {
    for (const settling of this.#open.values()) settling.settle()
  }

  /** Resolves when nothing of the function is being prepared. Rejects when the signal aborts. */
  async settled(functionId: string, signal?: AbortSignal): Promise<void> {
    const settling = this.#open.get(functionId)
    if (settling === undefined) return
    if (signal === undefined) return await settling.promise
    const waiting = new AbortController()
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: waiting.signal })
    })
    try {
      await Promise.race([settling.promise, aborted])
    } finally {
      waiting.abort()
    }
  }
}
