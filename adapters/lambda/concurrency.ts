import { EngineError } from '../../runtime/errors.ts'
import { Constraints } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'

/** PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency: three operations, two dates. */
export const concurrencyRoutes: Routes = (app, { registry }) => {
  app.put('/2017-10-31/functions/:function/concurrency', async (context) => {
    const { scope, functionName, qualifier } = labelFor(context, 'plain')
    const body = await fieldsFor(context, 'PutFunctionConcurrency')
    const reserved = body.integer('ReservedConcurrentExecutions')
    const constraints = new Constraints()
    constraints.required(reserved, 'reservedConcurrentExecutions')
    constraints.range(reserved, 'reservedConcurrentExecutions', 0)
    constraints.check()
    if (qualifier !== undefined)
      throw new EngineError(
        'invalid',
        'This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. ' +
          'Please specify either a function name or an unqualified function ARN.',
      )
    await registry.reserve(scope, functionName, reserved ?? 0)
    return context.json({ ReservedConcurrentExecutions: reserved })
  })

  app.get('/2019-09-30/functions/:function/concurrency', (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const { reservedConcurrency } = registry.get(scope, functionName)
    return context.json(
      reservedConcurrency === null ? {} : { ReservedConcurrentExecutions: reservedConcurrency },
    )
  })

  app.delete('/2017-10-31/functions/:function/concurrency', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    await registry.reserve(scope, functionName, null)
    return empty(context)
  })
}
