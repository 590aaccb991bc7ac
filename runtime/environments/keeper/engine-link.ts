import { connect, type Socket } from 'node:net'
import { systemClock } from '../../clock.ts'
import { FRAME, frame, FrameReader, type Hello } from '../frames.ts'

/** Pause between two attempts to reach an engine. */
const RETRY_MS = 500
/** An engine that does not know us closes at once: only a connection that lasts this long counts as one. */
const ACCEPTED_AFTER_MS = 1000

/**
 * A keeper's connection to whatever engine holds its data directory: made again for as long as it takes,
 * because an engine may stop and another one start in its place.
 */
export class EngineLink {
  readonly #path: string
  readonly #hello: Hello
  readonly #onShutdown: () => void
  #state: { kind: 'lost'; sinceMs: number } | { kind: 'connected' } | { kind: 'closed' }

  constructor(path: string, hello: Hello, onShutdown: () => void) {
    this.#path = path
    this.#hello = hello
    this.#onShutdown = onShutdown
    this.#state = { kind: 'lost', sinceMs: systemClock.monotonicMs() }
    this.#dial()
  }

  /** How long there has been no engine; 0 while there is one. */
  get lostForMs(): number {
    return this.#state.kind === 'lost' ? systemClock.monotonicMs() - this.#state.sinceMs : 0
  }

  close(): void {
    this.#state = { kind: 'closed' }
  }

  #dial(): void {
    if (this.#state.kind === 'closed') return
    const socket = connect(this.#path)
    const reader = new FrameReader((type) => {
      if (type === FRAME.shutdown) this.#onShutdown()
    })
    const accepted = systemClock.after(ACCEPTED_AFTER_MS, () => {
      if (!socket.destroyed && !socket.connecting && this.#state.kind === 'lost')
        this.#state = { kind: 'connected' }
    })
    socket.on('connect', () => socket.write(frame(FRAME.hello, this.#hello)))
    socket.on('data', (chunk: Buffer) => receive(reader, socket, chunk))
    // 'close' follows and is what is acted on.
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      accepted.cancel()
      if (this.#state.kind === 'connected') this.#state = { kind: 'lost', sinceMs: systemClock.monotonicMs() }
      systemClock.after(RETRY_MS, () => this.#dial())
    })
  }
}

function receive(reader: FrameReader, socket: Socket, chunk: Buffer): void {
  try {
    reader.push(chunk)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    socket.destroy()
  }
}
