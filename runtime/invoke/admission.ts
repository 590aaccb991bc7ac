import { EngineError } from '../errors.ts'
import type { Target } from '../registry/types.ts'
import { isLoop } from './lineage.ts'

/** What of a request decides whether its function takes it at all. */
interface Asking {
  readonly tenantId: string
  readonly traceId: string
}

/** Throws EngineError 'invalid' when a function that keeps tenants apart is given none, or another one is. */
export function checkTenant({ tenantId }: Pick<Asking, 'tenantId'>, { version }: Target): void {
  const refusal = wrongTenant(tenantId, version.perTenant === true)
  if (refusal !== undefined) throw refusal
}

/**
 * Why a function does not take a request: EngineError 'invalid', with detail 'recursion' when it has called
 * itself in circles. Undefined when it takes it.
 */
export function refusalOf(
  { tenantId, traceId }: Asking,
  { version, limits }: Target,
): EngineError | undefined {
  const refusal = wrongTenant(tenantId, version.perTenant === true)
  if (refusal !== undefined || !isLoop(traceId, limits)) return refusal
  return new EngineError(
    'invalid',
    'Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services ' +
      "resources and stopped your function's invocation.",
    { detail: 'recursion', hint: 'Break the circle, or set RecursiveLoop to Allow.' },
  )
}

function wrongTenant(tenantId: string, perTenant: boolean): EngineError | undefined {
  if ((tenantId !== '') === perTenant) return undefined
  return perTenant
    ? new EngineError(
        'invalid',
        'The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.',
      )
    : new EngineError(
        'invalid',
        'The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.',
      )
}
