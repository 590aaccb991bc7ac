import type { Specialization } from '../frames.ts'
import type { Invocation } from './invocation.ts'

/** What is the same in every context of one environment. */
export type FunctionFacts = Pick<
  Specialization,
  'functionName' | 'functionVersion' | 'memoryMb' | 'logGroup' | 'logStream'
>

/** How a callback-style handler ends its invocation through its context. */
export interface Completion {
  succeed: (result?: unknown) => void
  fail: (error?: unknown) => void
  done: (error?: unknown, result?: unknown) => void
}

/**
 * What Lambent adds to AWS's members. It is on the prototype, so that the own properties (what
 * `JSON.stringify`, spreading and logging see) are exactly AWS's. A handler may put values of its own in
 * their place.
 *
 * Classes and plain fields on purpose: a literal with accessors, or a link that is added afterwards, costs
 * two microseconds an invocation.
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

/** What a handler of nodejs24.x or later gets; members in the order of AWS's. */
export class PromiseContext extends Extras {
  readonly clientContext: unknown
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

/** What a handler up to nodejs22.x gets; members in the order of AWS's. */
export class CallbackContext extends Extras {
  /** The handler sets it. Whether the answer of a callback waits until the handler has nothing left to do. */
  callbackWaitsForEmptyEventLoop = true
  readonly succeed: Completion['succeed']
  readonly fail: Completion['fail']
  readonly done: Completion['done']
  readonly functionVersion: string
  readonly functionName: string
  readonly memoryLimitInMB: string
  readonly logGroupName: string
  readonly logStreamName: string
  readonly clientContext: unknown
  readonly identity: undefined
  readonly invokedFunctionArn: string
  readonly awsRequestId: string
  readonly tenantId: string | undefined
  readonly getRemainingTimeInMillis: () => number

  constructor(invocation: Invocation, facts: FunctionFacts, completion: Completion) {
    super(invocation)
    const { meta } = invocation
    this.succeed = completion.succeed
    this.fail = completion.fail
    this.done = completion.done
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

/** What a streaming handler up to nodejs22.x gets: nothing that would end the invocation past the stream. */
export function streamingCallbackContext(invocation: Invocation, facts: FunctionFacts): object {
  const unused = (): void => {}
  const completion = { succeed: unused, fail: unused, done: unused }
  const context = new CallbackContext(invocation, facts, completion)
  for (const name of Object.keys(completion)) Reflect.deleteProperty(context, name)
  return context
}

// Printed as a plain object, which is what AWS's context is.
for (const type of [Extras, PromiseContext, CallbackContext])
  Object.defineProperty(type.prototype, 'constructor', { value: Object, writable: true, configurable: true })

const orUndefined = (text: string): string | undefined => (text === '' ? undefined : text)

/** Whatever JSON the client sent. */
function parseClientContext(base64: string): unknown {
  if (base64 === '') return undefined
  return JSON.parse(Buffer.from(base64, 'base64').toString())
}
