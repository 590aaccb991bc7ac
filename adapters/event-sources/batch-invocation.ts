import type { Clock } from '../../runtime/clock.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { Invoker } from '../../runtime/invoke/types.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import type { Rng } from '../../runtime/rng.ts'

/** How the invocation for one batch ended. */
export type BatchAnswer =
  | {
      readonly kind: 'succeeded' | 'function-error'
      readonly requestId: string
      readonly payload: Buffer
      readonly executedVersion: string
    }
  /** It did not run; the batch is as it was. */
  | { readonly kind: 'refused'; readonly reason: Refusal; readonly message: string }

/** Why a function does not run now. Each may change, so a batch waits for it. */
export type Refusal = 'throttled' | 'missing' | 'not-ready' | 'stopping'

/** What batches are run with. */
export interface InvocationParts {
  readonly invoker: Invoker
  readonly clock: Clock
  readonly rng: Rng
}

/** Invokes a mapping's function with `event`, as any synchronous call. */
export async function invokeBatch(
  { invoker, clock, rng }: InvocationParts,
  { scope, functionName, qualifier }: EventSourceRecord,
  event: unknown,
): Promise<BatchAnswer> {
  const requestId = rng.uuid(clock.nowMs())
  try {
    const { kind, payload, executedVersion } = await invoker.run({
      scope,
      functionName,
      qualifier,
      payload: Buffer.from(JSON.stringify(event)),
      requestId,
      trigger: 'sync',
      traceId: '',
      clientContext: '',
      tenantId: '',
      logTail: false,
    })
    return { kind: kind === 'success' ? 'succeeded' : kind, requestId, payload, executedVersion }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { kind: 'refused', reason: refusalOf(error), message: error.message }
  }
}

/** Why the function could not be invoked now; undefined when it could, as far as can be seen. */
export function refusalNow(
  { invoker }: InvocationParts,
  { scope, functionName, qualifier }: EventSourceRecord,
): { readonly reason: Refusal; readonly message: string } | undefined {
  try {
    invoker.check(scope, functionName, qualifier)
    return undefined
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { reason: refusalOf(error), message: error.message }
  }
}

function refusalOf({ code }: EngineError): Refusal {
  if (code === 'throttled') return 'throttled'
  if (code === 'not-found') return 'missing'
  return code === 'unavailable' ? 'stopping' : 'not-ready'
}
