import type { Context } from 'hono'
import { arnOf, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import {
  checkProvisionable,
  checkQualified,
  deleteProvisioned,
  provisionedStatus,
  putProvisioned,
} from '../../runtime/registry/provisioned.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import { pageOf } from './paging.ts'
import { isoTime, type Wire } from './wire.ts'

/** Put-, Get-, Delete- and ListProvisionedConcurrencyConfigs. */
export const provisionedRoutes: Routes = (app, { registry }) => {
  const path = '/2019-09-30/functions/:function/provisioned-concurrency'

  app.put(path, async (context) => {
    const body = await fieldsFor(context, 'PutProvisionedConcurrencyConfig')
    const requested = body.integer('ProvisionedConcurrentExecutions')
    const constraints = new Constraints()
    constraints.required(requested, 'provisionedConcurrentExecutions')
    constraints.range(requested, 'provisionedConcurrentExecutions', 1)
    const { scope, functionName, qualifier } = qualifiedFor(context, constraints)
    checkProvisionable(scope, functionName, registry.find(scope, functionName), qualifier)
    await registry.editInAccount(scope, functionName, (record, making) =>
      putProvisioned(record, qualifier, requested ?? 0, registry.usage(scope), making),
    )
    // as it was accepted: what could be started since is left for the next question
    const { modifiedAtMs } = provisionedStatus(registry.get(scope, functionName), qualifier)
    return context.json(
      {
        RequestedProvisionedConcurrentExecutions: requested,
        AvailableProvisionedConcurrentExecutions: 0,
        AllocatedProvisionedConcurrentExecutions: 0,
        Status: 'IN_PROGRESS',
        LastModified: isoTime(modifiedAtMs),
      },
      202,
    )
  })

  app.get(path, (context) => {
    if (context.req.query('List') !== undefined) return list(context)
    const { scope, functionName, qualifier } = qualifiedFor(context, new Constraints())
    const record = registry.find(scope, functionName)
    checkQualified(scope, functionName, record, qualifier)
    return context.json(statusOf(registry.get(scope, functionName), qualifier))
  })

  app.delete(path, async (context) => {
    const { scope, functionName, qualifier } = qualifiedFor(context, new Constraints())
    checkQualified(scope, functionName, registry.find(scope, functionName), qualifier)
    await registry.edit(scope, functionName, (record) => deleteProvisioned(record, qualifier))
    return empty(context)
  })

  const list = (context: Context): Response => {
    const constraints = new Constraints()
    constraints.oneOf(context.req.query('List'), 'list', ['ALL'])
    constraints.check()
    const { scope, functionName } = labelFor(context, 'plain')
    const record = registry.get(scope, functionName)
    const page = pageOf([...record.provisioned.keys()].sort(), (qualifier) => qualifier, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
      limit: 50,
    })
    return context.json({
      ProvisionedConcurrencyConfigs: page.items.map((qualifier) => ({
        FunctionArn: arnOf(record, qualifier),
        ...statusOf(record, qualifier),
      })),
      NextMarker: page.nextMarker,
    })
  }
}

/** The function and the qualifier, without which there is nothing to keep ready. */
function qualifiedFor(
  context: Context,
  constraints: Constraints,
): { scope: Scope; functionName: string; qualifier: string } {
  const inLabel = /:[^:/]+$/.test(context.req.param('function')?.replace(/^.*:function:/, '') ?? '')
  if (!inLabel) constraints.required(context.req.query('Qualifier'), 'qualifier')
  constraints.check()
  const { scope, functionName, qualifier = '' } = labelFor(context, 'plain')
  return { scope, functionName, qualifier }
}

function statusOf(record: FunctionRecord, qualifier: string): Wire {
  const { requested, available, state, reason, modifiedAtMs } = provisionedStatus(record, qualifier)
  return {
    RequestedProvisionedConcurrentExecutions: requested,
    AvailableProvisionedConcurrentExecutions: available,
    AllocatedProvisionedConcurrentExecutions: available,
    Status: { 'in-progress': 'IN_PROGRESS', ready: 'READY', failed: 'FAILED' }[state],
    StatusReason: reason,
    LastModified: isoTime(modifiedAtMs),
  }
}
