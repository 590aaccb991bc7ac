import type { Environment } from '../environments/environment.ts'
import type { EnvironmentRequest } from '../environments/environment-owner.ts'
import type { Log } from '../log.ts'

/** A request of an environment's code, its meta cut into fields. */
export interface Request {
  readonly environment: Environment
  /** Answered through `environment.connection.answer` under this number; 0: no answer is wanted. */
  readonly id: number
  readonly flags: number
  /** What follows the operation's name. */
  readonly fields: readonly string[]
  readonly payload: Buffer
}

/** What serves one operation. A RangeError it throws says that the environment broke the protocol. */
export type Serve = (request: Request) => void

/**
 * Who serves what environments ask for: `operation\nfield\nfield…` in a request's meta. One operation, one
 * owner.
 */
export class Requests {
  readonly #served = new Map<string, Serve>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  on(operation: string, serve: Serve): void {
    if (this.#served.has(operation)) throw new Error(`Operation "${operation}" is served already.`)
    this.#served.set(operation, serve)
  }

  /** Takes a `request` frame. Throws a RangeError for an operation that nobody serves. */
  receive(environment: Environment, { id, flags, metaBytes, body }: EnvironmentRequest): void {
    const fields = body.toString('utf8', 0, metaBytes).split('\n')
    const operation = fields.shift() ?? ''
    const serve = this.#served.get(operation)
    if (serve === undefined) {
      this.#log.warn('an environment asked for what nobody serves', { operation })
      throw new RangeError(`Nobody serves the operation "${operation}".`)
    }
    serve({ environment, id, flags, fields, payload: body.subarray(metaBytes) })
  }
}
