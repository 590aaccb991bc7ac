import { connect, type Socket } from 'node:net'
import { FrameReader, HEADER_BYTES, writeHeader, type FrameHandler } from '../frames.ts'
import { soon } from './clock.ts'

/** Up to this size a body is copied behind its header, which is cheaper than a second buffer in the write. */
const COPY_BYTES = 16_384
/** Frames up to this in all are joined to one. */
const MAX_JOINED_BYTES = 64 * 1024

/** The environment's one socket to the engine. */
export class Connection {
  readonly #socket: Socket
  #held = true
  #gathering = false
  /** Frames that leave together as soon as what runs has run. */
  #posted: Buffer[] = []
  #isScheduled = false
  /** Called right before posted frames leave, to add some. */
  beforeFlush: (() => void) | undefined

  /**
   * Dials at once; what is sent before the connection stands is kept in order. `onClosed` is called once when
   * the engine is gone or broke the protocol, with the reason if there is one.
   */
  constructor(path: string, onFrame: FrameHandler, onClosed: (reason: Error | undefined) => void) {
    const reader = new FrameReader(onFrame)
    let failure: Error | undefined
    this.#socket = connect(path)
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        // A header that cannot be; nothing after it can be read.
        this.#socket.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
    this.#socket.on('error', (error) => (failure = error))
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.on('close', () => onClosed(failure))
  }

  /**
   * Sends whole frames. True when the kernel has all bytes, so that they survive this process; or, while
   * frames are gathered, when it will have them by the end of that.
   */
  send(frames: Buffer): boolean {
    if (this.#posted.length > 0) this.#writePosted()
    this.#socket.write(frames)
    return this.#gathering || this.#socket.writableLength === 0
  }

  /** Sends a whole frame soon, in order with all others: frames of one turn leave in one write. */
  post(bytes: Buffer): void {
    this.#posted.push(bytes)
    this.scheduleFlush()
  }

  /** Calls `beforeFlush` and sends what was posted as soon as what runs has run. */
  scheduleFlush(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    soon(this.#flush)
  }

  /** Bytes that the engine has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** Sends what `body` sends with one write. */
  gather(body: () => void): void {
    this.#gathering = true
    this.#socket.cork()
    body()
    this.#socket.uncork()
    this.#gathering = false
  }

  /** Sends one frame whose body may be large without copying it. */
  sendBody(type: number, id: number, body: Buffer): boolean {
    if (body.length <= COPY_BYTES) {
      const whole = Buffer.allocUnsafe(HEADER_BYTES + body.length)
      writeHeader(whole, 0, type, 0, id, body.length, 0)
      body.copy(whole, HEADER_BYTES)
      return this.send(whole)
    }
    if (this.#posted.length > 0) this.#writePosted()
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    writeHeader(header, 0, type, 0, id, body.length, 0)
    this.#socket.cork()
    this.#socket.write(header)
    this.#socket.write(body)
    this.#socket.uncork()
    return this.#socket.writableLength === 0
  }

  /** Calls back once the kernel has everything sent so far; synchronously when it has it already. */
  whenFlushed(callback: () => void): void {
    if (this.#posted.length > 0) this.#writePosted()
    if (this.#socket.writableLength === 0) callback()
    else this.#socket.write(EMPTY, callback)
  }

  /**
   * Whether the connection alone keeps the process alive. It must not while a handler runs: an event loop
   * without anything of the handler's in it is how the end of a callback-style invocation is seen.
   */
  hold(held: boolean): void {
    if (held === this.#held) return
    this.#held = held
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    this.beforeFlush?.()
    this.#writePosted()
  }

  #writePosted(): void {
    const posted = this.#posted
    const [first] = posted
    if (first === undefined) return
    this.#posted = []
    if (posted.length === 1) {
      this.#socket.write(first)
      return
    }
    let bytes = 0
    for (const one of posted) bytes += one.length
    // A copy of small frames costs less than a vector of them.
    if (bytes <= MAX_JOINED_BYTES) {
      this.#socket.write(Buffer.concat(posted, bytes))
      return
    }
    this.#socket.cork()
    for (const one of posted) this.#socket.write(one)
    this.#socket.uncork()
  }
}

const EMPTY = Buffer.alloc(0)
