import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { pauseThread } from './clock.ts'

const STDOUT = 1
const STDERR = 2
const LINE_FEED = 10

/**
 * The log: file descriptors 1 and 2, both one pipe to the engine. Writes are synchronous, so that nothing is
 * lost when the process ends. Before the first bytes of an invocation goes a marker line `\0S<requestId>\n`,
 * by which the engine knows whose lines follow; where invocations run at once, whenever the writer changes.
 */
export class LogOutput {
  #writtenBytes = 0
  #markedFor = ''
  #atLineStart = true
  #closed = false
  readonly #requestId: () => string

  /** `requestId` names the invocation that is writing; '' outside of any. */
  constructor(requestId: () => string) {
    this.#requestId = requestId
  }

  /** Bytes written so far, markers included. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  write(text: string | Uint8Array, descriptor = STDOUT): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    if (bytes.length === 0) return
    this.mark()
    this.#put(bytes, descriptor)
  }

  /** Writes a line of somebody else's: on a line of its own, whatever was written before it. */
  writeLine(text: string): void {
    this.mark()
    this.#put(Buffer.from(`${this.#atLineStart ? '' : '\n'}${text}\n`), STDOUT)
  }

  /** Writes the marker of the invocation that is about to write, if it has none yet. */
  mark(): void {
    const requestId = this.#requestId()
    if (requestId === this.#markedFor || requestId === '') return
    this.#markedFor = requestId
    this.#put(Buffer.from(`${this.#atLineStart ? '' : '\n'}\u0000S${requestId}\n`), STDOUT)
  }

  /**
   * Sends what user code writes through `process.stdout`, `process.stderr` or straight to their descriptors
   * (as logging libraries do) the same way. The streams are left unmade until somebody wants them.
   */
  capture(): void {
    this.#captureStream('stdout', STDOUT)
    this.#captureStream('stderr', STDERR)
    this.#captureDescriptors()
  }

  #put(bytes: Uint8Array, descriptor: number): void {
    let offset = 0
    while (offset < bytes.length && !this.#closed) {
      try {
        offset += writeSync(descriptor, bytes, offset, bytes.length - offset)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException // writeSync throws nothing else
        // The pipe is full: the reader is slower than we are, and a handler that logs waits for it.
        if (code === 'EAGAIN') pauseThread(1)
        // The engine is gone, and the closing of its socket ends this process.
        else if (code === 'EPIPE' || code === 'ECONNRESET') this.#closed = true
        else throw error
      }
    }
    this.#count(bytes.length, bytes[bytes.length - 1] === LINE_FEED)
  }

  #count(bytes: number, endsLine: boolean): void {
    this.#writtenBytes += bytes
    this.#atLineStart = endsLine
  }

  #captureStream(name: 'stdout' | 'stderr', descriptor: number): void {
    const original = Object.getOwnPropertyDescriptor(process, name)
    if (original?.get === undefined) throw new Error(`process.${name} is not made on demand by this Node.js.`)
    const make = original.get
    let stream: NodeJS.WriteStream | undefined
    const get = (): NodeJS.WriteStream => {
      if (stream === undefined) {
        stream = make.call(process) as NodeJS.WriteStream // what Node.js documents the property to be
        stream.write = this.#streamWrite(descriptor)
      }
      return stream
    }
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get })
  }

  #streamWrite(descriptor: number): NodeJS.WriteStream['write'] {
    return (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      const named = typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8'
      this.write(typeof chunk === 'string' ? Buffer.from(chunk, named) : chunk, descriptor)
      const done = typeof encoding === 'function' ? encoding : callback
      if (typeof done === 'function') process.nextTick(done, null)
      return true
    }
  }

  #captureDescriptors(): void {
    const patched = fs as { writeSync: unknown; write: unknown } // replaced, which the types forbid
    patched.writeSync = (descriptor: number, ...rest: unknown[]): number => {
      const ours = descriptor === STDOUT || descriptor === STDERR
      if (ours) this.mark()
      const written = Reflect.apply(writeSync, fs, [descriptor, ...rest]) as number // bytes
      if (ours) this.#count(written, endsLine(rest[0]))
      return written
    }
    const originalWrite = fs.write
    const write = (descriptor: number, ...rest: unknown[]): void => {
      if (descriptor === STDOUT || descriptor === STDERR) {
        this.mark()
        const done = rest.at(-1)
        const [content] = rest
        if (typeof done === 'function')
          rest[rest.length - 1] = (error: unknown, written: number, same: unknown): void => {
            if (typeof written === 'number') this.#count(written, endsLine(content))
            Reflect.apply(done, undefined, [error, written, same])
          }
      }
      Reflect.apply(originalWrite, fs, [descriptor, ...rest])
    }
    // util.promisify(fs.write) must go on giving { bytesWritten, buffer }.
    patched.write = Object.defineProperties(write, Object.getOwnPropertyDescriptors(originalWrite))
    syncBuiltinESMExports()
  }
}

const writeSync = fs.writeSync

function endsLine(content: unknown): boolean {
  if (typeof content === 'string') return content.endsWith('\n')
  return content instanceof Uint8Array && content[content.length - 1] === LINE_FEED
}
