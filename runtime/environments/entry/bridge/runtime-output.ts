import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHUNK_BYTES = 65_536

/** Where what comes out of a pipe goes. */
export interface OutputSink {
  write(bytes: Uint8Array): void
}

/**
 * One pipe that a runtime gets as both its stdout and its stderr, so that their lines keep their order. What
 * comes out goes on to the environment's own log. A pipe and not a socket, because shell scripts open
 * /dev/stderr anew.
 */
export class RuntimeOutput {
  /** The end to write to, for a child process. */
  readonly descriptor: number
  readonly #readEnd: number
  readonly #sink: OutputSink
  readonly #reader: Socket
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES)

  /** Throws where no pipe can be made in the folder for temporary files. */
  constructor(sink: OutputSink) {
    this.#sink = sink
    const folder = fs.mkdtempSync(join(tmpdir(), '.lambent-'))
    try {
      const path = join(folder, 'log')
      execFileSync('mkfifo', ['-m', '600', path])
      this.#readEnd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
      // Kept open for good: the reading end never sees an end, whoever closes the other.
      this.descriptor = fs.openSync(path, fs.constants.O_WRONLY)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
    this.#reader = new Socket({ fd: this.#readEnd, readable: true, writable: false })
    this.#reader.on('data', (bytes: Buffer) => this.#sink.write(bytes))
    this.#reader.unref()
  }

  /** Takes what has been written by now: it belongs in front of what comes next. */
  drain(): void {
    for (;;) {
      let bytes: number
      try {
        bytes = fs.readSync(this.#readEnd, this.#chunk, 0, CHUNK_BYTES, null)
      } catch {
        return // empty
      }
      if (bytes === 0) return
      this.#sink.write(this.#chunk.subarray(0, bytes))
    }
  }

  /** Nobody writes to it any more. */
  close(): void {
    fs.closeSync(this.descriptor)
    this.#reader.destroy()
  }
}
