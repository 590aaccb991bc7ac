import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Specialization } from '../../../runtime/environments/frames.ts'
import { until } from '../../support/until.ts'
import { inTask, TestEnvironment } from './test-engine.ts'

/** What came back from a call of the Runtime API. */
export interface RuntimeAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A body that is sent whole, or in chunks and with trailers. */
export interface RuntimeRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly chunks?: readonly (string | Buffer)[]
  readonly trailers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Says where the Runtime API is, and lives until its parent is gone. */
const BOOTSTRAP = `#!/bin/sh
echo "starting"
printf %s "$AWS_LAMBDA_RUNTIME_API" > address.part
mv address.part address
while kill -0 "$PPID" 2> /dev/null; do sleep 0.05; done
`

/** An environment whose runtime is the test itself: it makes the calls that a runtime would. */
export class RuntimeClient implements AsyncDisposable {
  readonly environment: TestEnvironment
  readonly address: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  private constructor(environment: TestEnvironment, address: string) {
    this.environment = environment
    this.address = address
  }

  static async start(specialization: Partial<Specialization> = {}): Promise<RuntimeClient> {
    const environment = await TestEnvironment.spare({ files: { bootstrap: BOOTSTRAP } })
    const bootstrap = inTask(environment, 'bootstrap')
    chmodSync(bootstrap, 0o755)
    const runtimeProcess = { kind: 'bootstrap' as const, command: [bootstrap], wrapper: '' }
    const path = inTask(environment, 'address')
    try {
      environment.tellFunction({ runtime: 'provided.al2023', runtimeProcess, ...specialization })
      await until('the runtime has started', () => existsSync(path))
      return new RuntimeClient(environment, readFileSync(path, 'utf8'))
    } catch (error) {
      await environment[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Asks for work; resolves when there is some. */
  next(signal?: AbortSignal): Promise<RuntimeAnswer> {
    return this.call('GET', '/2018-06-01/runtime/invocation/next', signal === undefined ? {} : { signal })
  }

  /** Answers an invocation: `response` or `error`. */
  answer(requestId: string, kind: 'response' | 'error', given: RuntimeRequest): Promise<RuntimeAnswer> {
    return this.call('POST', `/2018-06-01/runtime/invocation/${requestId}/${kind}`, given)
  }

  call(method: string, path: string, given: RuntimeRequest = {}): Promise<RuntimeAnswer> {
    const { headers = {}, body, chunks, trailers, signal } = given
    const [host, port] = this.address.split(':')
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host,
          port,
          method,
          path,
          headers,
          agent: this.#agent,
          ...(signal === undefined ? {} : { signal }),
        },
        (incoming) => {
          buffer(incoming).then(
            (bytes) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes }),
            reject,
          )
        },
      )
      outgoing.on('error', reject)
      if (trailers !== undefined) outgoing.addTrailers(trailers)
      for (const chunk of chunks ?? []) outgoing.write(chunk)
      outgoing.end(body)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.environment[Symbol.asyncDispose]()
  }
}
