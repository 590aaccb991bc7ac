import type { FunctionSettings } from '../../runtime/registry/function-record.ts'
import { Constraints, pattern } from './constraints.ts'
import type { Fields } from './fields.ts'

const TENANT = pattern(String.raw`[a-zA-Z0-9\._:\/=+\-@ ]+`)

/** What the model says about the member that keeps a function's tenants apart. */
export function checkTenancy(body: Fields, constraints: Constraints): void {
  const tenancy = body.fields('TenancyConfig')
  if (tenancy === undefined) return
  const mode = tenancy.text('TenantIsolationMode')
  constraints.required(mode, 'tenancyConfig.tenantIsolationMode')
  constraints.oneOf(mode, 'tenancyConfig.tenantIsolationMode', ['PER_TENANT'])
}

/** It is given when a function is made, and stays. */
export const readTenancy = (
  body: Fields,
  before: FunctionSettings | undefined,
): Pick<FunctionSettings, 'perTenant'> => {
  const perTenant = before === undefined ? body.has('TenancyConfig') : before.perTenant === true
  return perTenant ? { perTenant } : {}
}

/** Throws EngineError 'invalid' for what the model does not take as a tenant's name. */
export function checkTenantId(tenantId: string): void {
  const constraints = new Constraints()
  constraints.length(tenantId, 'tenantId', 1, 256)
  constraints.pattern(tenantId, 'tenantId', TENANT)
  constraints.check()
}
