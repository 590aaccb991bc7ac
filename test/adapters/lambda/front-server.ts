import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createGuardPolicy } from '../../../adapters/guard.ts'
import { installFastFront } from '../../../adapters/lambda/fast-front.ts'
import { Invocations } from '../../../adapters/lambda/invocations.ts'
import { createInvokeHandler } from '../../../adapters/lambda/invoke.ts'
import { openListener, type Listener } from '../../../adapters/listener.ts'
import { systemClock, type Clock } from '../../../runtime/clock.ts'
import { EngineError } from '../../../runtime/errors.ts'
import type { InvokeRequest, Invoker, InvokeSink } from '../../../runtime/invoke/types.ts'
import { createLog } from '../../../runtime/log.ts'
import type { Rng } from '../../../runtime/rng.ts'

const LARGE_BYTES = 100_000
/** Equal requests must get equal answers, so ids never differ here. */
const ONE_ID = '01900000-0000-4000-8000-000000000000'
const RNG: Rng = { fraction: () => 0.5, bytes: (size) => Buffer.alloc(size), uuid: () => ONE_ID }

/**
 * A listener as the api port has it, with or without the front, whose invoker writes down what it was asked
 * and says so in its answer. The function `now` answers at once, `later` in a later turn, `large` with 100
 * KB, `held` when `release` is called; every other is unknown.
 */
export class FrontServer {
  readonly listener: Listener
  /** What reached the invoker, or a handler of anything else, in order. */
  readonly seen: string[] = []
  /** How many requests the front answered itself. */
  byFront = 0
  readonly #held: (() => void)[] = []
  #server: Server | undefined
  #clock: Clock

  private constructor(listener: Listener, clock: Clock) {
    this.listener = listener
    this.#clock = clock
  }

  /**
   * `halfOpen` lets Node's own server answer a client that has sent its last byte, as the front does: then
   * every exchange of bytes has an end.
   */
  static async open(options: { front: boolean; halfOpen?: boolean; clock?: Clock }): Promise<FrontServer> {
    const policy = createGuardPolicy({ face: 'api', listenHost: '127.0.0.1', allowHosts: [] })
    // Answers of two servers are compared: their wall clocks stand still.
    const clock = options.clock ?? { ...systemClock, nowMs: () => 0 }
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    const listener = await openListener({
      host: '127.0.0.1',
      port: 0,
      policy,
      maxConnections: 5000,
      clock: systemClock,
      log,
      requestId: () => ONE_ID,
    })
    const opened = new FrontServer(listener, clock)
    const parts = { invoker: opened.#invoker(), clock, rng: RNG, log, limits: 'extended' } as const
    const invoke = createInvokeHandler(parts)
    listener.serve({
      handle: (request, response) => {
        if (!invoke(request, response)) opened.#other(request, response)
      },
      front: (server, refusing) => {
        opened.#server = server
        if (options.halfOpen === true) Object.assign(server, { httpAllowHalfOpen: true })
        if (!options.front) return { [Symbol.dispose]: () => {} }
        const invocations = new CountedInvocations(parts, () => (opened.byFront += 1))
        return installFastFront({ server, invocations, policy, clock, refusing })
      },
    })
    return opened
  }

  get port(): number {
    return this.listener.port
  }

  /** Lets the oldest invocation of `held` end; false when none waits. */
  release(): boolean {
    const end = this.#held.shift()
    end?.()
    return end !== undefined
  }

  get heldCount(): number {
    return this.#held.length
  }

  /** Open connections, the front's and Node's. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server?.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  #invoker(): Invoker {
    const note = (kind: string, request: object, payload: Buffer): string => {
      const line = JSON.stringify({ kind, ...request, payload: digest(payload) })
      this.seen.push(line)
      return line
    }
    return {
      invoke: (request, sink) => {
        const { payload, ...rest } = request
        this.#answer(request, note('invoke', rest, payload), sink)
      },
      accept: async ({ payload, ...rest }) => void note('accept', rest, payload),
      check: (scope, functionName, qualifier) =>
        void note('check', { scope, functionName, qualifier }, Buffer.alloc(0)),
      run: () => Promise.reject(new EngineError('unsupported', 'no adapter of this test runs anything')),
    }
  }

  #answer({ functionName, logTail }: InvokeRequest, line: string, sink: InvokeSink): void {
    const answer = (padding = 0): void =>
      sink.result({
        kind: functionName === 'failing' ? 'function-error' : 'success',
        payload: Buffer.from(
          JSON.stringify({ seen: digest(Buffer.from(line)), padding: ' '.repeat(padding) }),
        ),
        executedVersion: '$LATEST',
        logTail: logTail ? 'bG9n' : undefined,
        contentType: '',
      })
    if (functionName === 'now' || functionName === 'failing') answer()
    else if (functionName === 'large') answer(LARGE_BYTES)
    else if (functionName === 'later') this.#clock.after(1, answer)
    else if (functionName === 'held') this.#held.push(answer)
    else sink.refused(new EngineError('not-found', `no function ${functionName}`))
  }

  /** Everything that is no invocation: says in a header what it was. */
  #other(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, rawHeaders } = request
      const line = JSON.stringify({ method, url, rawHeaders, body: digest(Buffer.concat(chunks)) })
      this.seen.push(line)
      response.writeHead(404, { 'x-seen': digest(Buffer.from(line)), 'content-length': 0 }).end()
    })
  }
}

class CountedInvocations extends Invocations {
  readonly #onHandled: () => void

  constructor(parts: ConstructorParameters<typeof Invocations>[0], onHandled: () => void) {
    super(parts)
    this.#onHandled = onHandled
  }

  override handle(...given: Parameters<Invocations['handle']>): void {
    this.#onHandled()
    super.handle(...given)
  }
}

const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('base64')
