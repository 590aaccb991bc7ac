import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const STDERR_CHARACTERS = 64 * 1024
const STOP_LIMIT_MS = 10_000

export interface EngineOptions {
  readonly program: string
  readonly data: string
  readonly isolation?: 'auto' | 'none'
  /** LAMBENT_… settings. */
  readonly settings?: Readonly<Record<string, string>>
}

/** How a process ended. */
export interface EngineEnd {
  readonly code: number | null
  readonly signal: string | null
}

/** One `lambent start`, from its first instruction on: it can be killed before it is ready. */
export class EngineProcess implements AsyncDisposable {
  readonly startedAt = performance.now()
  /** Resolves with how long it took from the start to the ready line. Rejects when it ends before. */
  readonly ready: Promise<number>
  readonly ended: Promise<EngineEnd>
  /** The api port's URL; empty until it is ready. */
  url = ''
  /** How much of the time until it was ready its main thread waited for a processor that others had. */
  starvedMs = 0
  /** `performance.now()` at the kill. */
  killedAt: number | undefined
  readonly #child: ChildProcess
  #stderr = ''
  #end: EngineEnd | undefined

  constructor({ program, data, isolation = 'auto', settings = {} }: EngineOptions) {
    const places = ['--port', '0', '--http-port', '0', '--data', data]
    const child = spawn(
      process.execPath,
      [program, 'start', ...places, '--isolation', isolation, '--log-level', 'warn'],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...settings } },
    )
    this.#child = child
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-STDERR_CHARACTERS)
    })
    this.ended = new Promise((resolve) =>
      child.once('exit', (code, signal) => {
        this.#end = { code, signal }
        resolve(this.#end)
      }),
    )
    this.ready = new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const url = /^lambent ready api=(\S+)/.exec(line)?.[1]
        if (url === undefined) return
        this.url = url
        this.starvedMs = starvedMs(this.pid)
        resolve(performance.now() - this.startedAt)
      })
      // 'close': stderr is complete by then.
      child.once('close', (code, signal) =>
        reject(new Error(`lambent ended with ${code ?? signal} before it was ready:\n${this.#stderr}`)),
      )
    })
    // Whoever needs it awaits it; one that is killed while it starts is nobody's failure.
    this.ready.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get stderr(): string {
    return this.#stderr
  }

  /** How it ended; undefined while it runs. */
  get end(): EngineEnd | undefined {
    return this.#end
  }

  /** SIGKILL, at once. */
  kill(): Promise<EngineEnd> {
    this.killedAt ??= performance.now()
    this.#child.kill('SIGKILL')
    return this.ended
  }

  /** SIGTERM: it drains. */
  stop(): Promise<EngineEnd> {
    if (this.#end === undefined) this.#child.kill('SIGTERM')
    return this.ended
  }

  /**
   * Ends it the quiet way, which leaves nothing in the machine's folders; by force when that takes too
   * long.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end !== undefined) return
    const force = setTimeout(() => void this.kill(), STOP_LIMIT_MS)
    await this.stop()
    clearTimeout(force)
  }
}

/** A main thread's time in the queue for a processor; 0 where the kernel does not tell. */
function starvedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
