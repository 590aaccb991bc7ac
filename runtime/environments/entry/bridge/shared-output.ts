const LINE_FEED = 10
/** A line is looked at as far as this; what is longer goes on in pieces. */
const MAX_LINE_BYTES = 65_536

/**
 * What a runtime prints that works on several invocations at once. A line belongs to the one whose request id
 * is in it, which is how AWS's runtime clients write; others belong to whoever wrote before them.
 */
export class SharedOutput {
  readonly #running: () => readonly string[]
  readonly #write: (line: Buffer, requestId: string | undefined) => void
  #rest = Buffer.alloc(0)

  /** `running` are the request ids of what is being worked on. */
  constructor(options: {
    running: () => readonly string[]
    write: (line: Buffer, requestId: string | undefined) => void
  }) {
    this.#running = options.running
    this.#write = options.write
  }

  push(bytes: Uint8Array): void {
    const chunk = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#line(chunk.subarray(start, end + 1))
      start = end + 1
    }
    this.#rest = chunk.subarray(start)
    if (this.#rest.length >= MAX_LINE_BYTES) this.flush()
  }

  /** Writes what has no line feed yet. */
  flush(): void {
    if (this.#rest.length > 0) this.#line(this.#rest)
    this.#rest = Buffer.alloc(0)
  }

  #line(line: Buffer): void {
    this.#write(
      line,
      this.#running().find((requestId) => line.includes(requestId)),
    )
  }
}
