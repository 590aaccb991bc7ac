import type { CallScope } from './call-scope.ts'
import { httpResponseStream } from './stream.ts'

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming')
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')

/** How a handler was marked by `awslambda.streamifyResponse`. */
export interface StreamingMark {
  [STREAMING]?: unknown
  [HIGH_WATER_MARK]?: unknown
}

/** What a handler's mark says; `unknown-mode` is one this runtime cannot do. */
export function readStreamingMark(handler: StreamingMark): {
  mode: 'buffered' | 'streaming' | 'unknown-mode'
  highWaterMark: number | undefined
} {
  const mark = handler[STREAMING]
  const mode = !mark ? 'buffered' : mark === 'response' ? 'streaming' : 'unknown-mode'
  const highWaterMark = Number.parseInt(String(handler[HIGH_WATER_MARK]), 10)
  return { mode, highWaterMark: Number.isNaN(highWaterMark) ? undefined : highWaterMark }
}

/** Installs `globalThis.awslambda`. */
export function installAwsGlobal(scope: CallScope): void {
  const awslambda = {
    streamifyResponse(handler: StreamingMark, options?: { highWaterMark?: unknown }): StreamingMark {
      Object.assign(handler, { [STREAMING]: 'response' })
      if (typeof options?.highWaterMark === 'number')
        Object.assign(handler, { [HIGH_WATER_MARK]: Math.trunc(options.highWaterMark) })
      return handler
    },
    HttpResponseStream: httpResponseStream,
    InvokeStore: new InvokeStore(scope),
  }
  Object.assign(globalThis, { awslambda })
}

const PROTECTED_KEYS = {
  REQUEST_ID: Symbol.for('_AWS_LAMBDA_REQUEST_ID'),
  X_RAY_TRACE_ID: Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'),
  TENANT_ID: Symbol.for('_AWS_LAMBDA_TENANT_ID'),
}

/**
 * `awslambda.InvokeStore`: values of the current invocation, by the interface of AWS's package
 * `@aws/lambda-invoke-store`, which libraries look for on the global.
 */
class InvokeStore {
  static readonly PROTECTED_KEYS = PROTECTED_KEYS
  readonly #scope: CallScope

  constructor(scope: CallScope) {
    this.#scope = scope
  }

  getContext(): Record<PropertyKey, unknown> | undefined {
    const invocation = this.#scope.logged()
    if (invocation === undefined) return undefined
    const stored: Record<PropertyKey, unknown> = Object.fromEntries(invocation.stored ?? [])
    for (const key of Object.values(PROTECTED_KEYS)) Object.assign(stored, { [key]: this.get(key) })
    return stored
  }

  hasContext(): boolean {
    return this.#scope.logged() !== undefined
  }

  get(key: PropertyKey): unknown {
    const invocation = this.#scope.logged()
    if (key === PROTECTED_KEYS.REQUEST_ID) return invocation?.meta.requestId
    if (key === PROTECTED_KEYS.X_RAY_TRACE_ID) return invocation?.meta.traceId || undefined
    if (key === PROTECTED_KEYS.TENANT_ID) return invocation?.meta.tenantId || undefined
    return invocation?.stored?.get(key)
  }

  set(key: PropertyKey, value: unknown): void {
    if (this.isProtectedKey(key))
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`)
    const invocation = this.#scope.logged()
    if (invocation === undefined) throw new Error('No context available')
    invocation.stored ??= new Map()
    invocation.stored.set(key, value)
  }

  isProtectedKey(key: PropertyKey): boolean {
    return Object.values<PropertyKey>(PROTECTED_KEYS).includes(key)
  }

  getRequestId(): unknown {
    return this.get(PROTECTED_KEYS.REQUEST_ID) ?? '-'
  }

  getXRayTraceId(): unknown {
    return this.get(PROTECTED_KEYS.X_RAY_TRACE_ID)
  }

  getTenantId(): unknown {
    return this.get(PROTECTED_KEYS.TENANT_ID)
  }
}
