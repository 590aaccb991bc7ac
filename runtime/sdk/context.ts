import type { Context } from './types.ts'

/**
 * A context that reads every member from whatever `current` gives at that moment. Reading a member where
 * there is no invocation throws.
 */
export function contextOf(current: () => Context | undefined): Context {
  const now = (): Context => {
    const found = current()
    if (found === undefined)
      throw new Error(
        '`context` was read outside of an invocation: read it in the handler or in what it calls.',
      )
    return found
  }
  return {
    get functionName() {
      return now().functionName
    },
    get functionVersion() {
      return now().functionVersion
    },
    get invokedFunctionArn() {
      return now().invokedFunctionArn
    },
    get memoryLimitInMB() {
      return now().memoryLimitInMB
    },
    get awsRequestId() {
      return now().awsRequestId
    },
    get logGroupName() {
      return now().logGroupName
    },
    get logStreamName() {
      return now().logStreamName
    },
    get clientContext() {
      return now().clientContext
    },
    get identity() {
      return now().identity
    },
    get tenantId() {
      return now().tenantId
    },
    get xRayTraceId() {
      return now().xRayTraceId
    },
    getRemainingTimeInMillis: () => now().getRemainingTimeInMillis(),
    get signal() {
      return now().signal
    },
    get runId() {
      return now().runId
    },
  }
}
