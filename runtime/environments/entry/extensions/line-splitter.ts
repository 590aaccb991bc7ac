/** A line longer than this is told in pieces. */
const MAX_LINE_BYTES = 256 * 1024
const LINE_FEED = 10
/** Leads a line by which our own bootstrap says whose lines follow; see console.ts. */
const MARKER = '\u0000S'

/** Makes lines of what a process prints, without the marks that are not its own words. */
export class LineSplitter {
  readonly #onLine: (line: string) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Uint8Array): void {
    let data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    for (let end = data.indexOf(LINE_FEED); end >= 0; end = data.indexOf(LINE_FEED)) {
      this.#tell(data.subarray(0, end))
      data = data.subarray(end + 1)
    }
    this.#rest = data
    if (data.length > MAX_LINE_BYTES) this.flush()
  }

  /** What has no line feed yet is a line. */
  flush(): void {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    if (rest.length > 0) this.#tell(rest)
  }

  #tell(bytes: Buffer): void {
    const line = bytes.toString('utf8')
    if (!line.startsWith(MARKER)) this.#onLine(line)
  }
}
