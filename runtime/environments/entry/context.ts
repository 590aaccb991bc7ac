import type { Specialization } from '../frames.ts'
import type { Invocation } from './invocation.ts'

/** Lambda's `clientContext` and `identity` are whatever JSON the client sent. */
type ClientContext = unknown

/** What is the same in every context of one environment. */
export type FunctionFacts = Pick<
  Specialization,
  'functionName' | 'functionVersion' | 'memoryMb' | 'logGroup' | 'logStream'
>

/**
 * Base of both contexts. What Lambent adds to AWS's fields is on the prototype, so that the own properties (what
 * `JSON.stringify`, spreading and logging see) are exactly AWS's.
 */
class Extras {
  readonly #invocation: Invocation

  constructor(invocation: Invocation) {
    this.#invocation = invocation
  }

  get signal(): AbortSignal {
    return this.#invocation.signal
  }
  set signal(value: AbortSignal) {
    Object.defineProperty(this, 'signal', { value, writable: true, enumerable: true, configurable: true })
  }

  get runId(): string {
    return this.#invocation.meta.requestId
  }
  set runId(value: string) {
    Object.defineProperty(this, 'runId', { value, writable: true, enumerable: true, configurable: true })
  }
}

/** The context from nodejs24.x on; members in the order of AWS's. */
class PromiseContext extends Extras {
  readonly clientContext: ClientContext
  readonly identity: undefined
  readonly invokedFunctionArn: string
  readonly awsRequestId: string
  readonly tenantId: string | undefined
  readonly xRayTraceId: string | undefined
  readonly getRemainingTimeInMillis: () => number
  readonly functionName: string
  readonly functionVersion: string
  readonly memoryLimitInMB: string
  readonly logGroupName: string
  readonly logStreamName: string

  constructor(invocation: Invocation, facts: FunctionFacts) {
    super(invocation)
    const { meta } = invocation
    this.clientContext = parseClientContext(meta.clientContext)
    this.identity = undefined
    this.invokedFunctionArn = meta.invokedArn
    this.awsRequestId = meta.requestId
    this.tenantId = orUndefined(meta.tenantId)
    this.xRayTraceId = orUndefined(meta.traceId)
    this.getRemainingTimeInMillis = () => invocation.remainingMs()
    this.functionName = facts.functionName
    this.functionVersion = facts.functionVersion
    this.memoryLimitInMB = String(facts.memoryMb)
    this.logGroupName = facts.logGroup
    this.logStreamName = facts.logStream
  }
}

/** How a callback-style handler ends its invocation through its context. */
export interface Completion {
  succeed: (result?: unknown) => void
  fail: (error?: unknown) => void
  done: (error?: unknown, result?: unknown) => void
}

/** Whether the answer of a callback waits until the handler has nothing left to do. */
export interface WaitSetting {
  waitsForEmptyEventLoop: boolean
}

/** What only contexts up to nodejs22.x have; a class of its own because AWS's has these members first. */
class CallbackMembers extends Extras {
  constructor(invocation: Invocation, wait: WaitSetting, completion: Completion | undefined) {
    super(invocation)
    Object.defineProperty(this, 'callbackWaitsForEmptyEventLoop', {
      enumerable: true,
      configurable: true,
      get: () => wait.waitsForEmptyEventLoop,
      set: (value: boolean) => {
        wait.waitsForEmptyEventLoop = value
      },
    })
    if (completion !== undefined) Object.assign(this, completion)
  }
}

/** The context up to nodejs22.x; members in the order of AWS's. A streaming handler's has no `Completion`. */
class CallbackContext extends CallbackMembers {
  readonly functionVersion: string
  readonly functionName: string
  readonly memoryLimitInMB: string
  readonly logGroupName: string
  readonly logStreamName: string
  readonly clientContext: ClientContext
  readonly identity: undefined
  readonly invokedFunctionArn: string
  readonly awsRequestId: string
  readonly tenantId: string | undefined
  readonly getRemainingTimeInMillis: () => number

  constructor(
    invocation: Invocation,
    facts: FunctionFacts,
    wait: WaitSetting,
    completion: Completion | undefined,
  ) {
    super(invocation, wait, completion)
    const { meta } = invocation
    this.functionVersion = facts.functionVersion
    this.functionName = facts.functionName
    this.memoryLimitInMB = String(facts.memoryMb)
    this.logGroupName = facts.logGroup
    this.logStreamName = facts.logStream
    this.clientContext = parseClientContext(meta.clientContext)
    this.identity = undefined
    this.invokedFunctionArn = meta.invokedArn
    this.awsRequestId = meta.requestId
    this.tenantId = orUndefined(meta.tenantId)
    this.getRemainingTimeInMillis = () => invocation.remainingMs()
  }
}

// Printed as a plain object, which is what AWS's context is.
for (const type of [Extras, PromiseContext, CallbackMembers, CallbackContext])
  Object.defineProperty(type.prototype, 'constructor', { value: Object, writable: true, configurable: true })

/** What a handler of nodejs24.x or later gets. */
export const promiseContext = (invocation: Invocation, facts: FunctionFacts): object =>
  new PromiseContext(invocation, facts)

/** What a handler up to nodejs22.x gets. */
export const callbackContext = (
  invocation: Invocation,
  facts: FunctionFacts,
  wait: WaitSetting,
  completion?: Completion,
): object => new CallbackContext(invocation, facts, wait, completion)

const orUndefined = (text: string): string | undefined => (text === '' ? undefined : text)

function parseClientContext(base64: string): ClientContext {
  if (base64 === '') return undefined
  return JSON.parse(Buffer.from(base64, 'base64').toString())
}
