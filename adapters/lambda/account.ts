import { arnOf } from '../../runtime/registry/function-record.ts'
import { Constraints } from './constraints.ts'
import { empty, fieldsFor, labelFor, scopeFor, versionFor, type Routes } from './context.ts'

/**
 * What scripts and Terraform read beside functions themselves: account settings and configurations with fixed
 * answers.
 */
export const accountRoutes: Routes = (app, { registry }) => {
  app.get('/2016-08-19/account-settings', (context) => {
    const usage = registry.usage(scopeFor(context))
    return context.json({
      AccountLimit: {
        TotalCodeSize: 80_530_636_800,
        CodeSizeUnzipped: 262_144_000,
        CodeSizeZipped: 52_428_800,
        ConcurrentExecutions: usage.concurrency,
        UnreservedConcurrentExecutions: Math.max(usage.concurrency - usage.reserved, 0),
      },
      AccountUsage: { TotalCodeSize: usage.codeBytes, FunctionCount: usage.functions },
    })
  })

  // nothing can be signed here, so no function has a signing configuration
  app.get('/2020-06-30/functions/:function/code-signing-config', (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    registry.get(scope, functionName)
    return context.json({})
  })

  app.delete('/2020-06-30/functions/:function/code-signing-config', (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    registry.get(scope, functionName)
    return empty(context)
  })

  // runtimes are Node.js as it was fetched: there are no versions to choose between
  app.get('/2021-07-20/functions/:function/runtime-management-config', (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    const record = registry.get(scope, functionName)
    const { version } = versionFor(record, qualifier)
    return context.json({ UpdateRuntimeOn: 'Auto', FunctionArn: arnOf(record, qualifier ?? version) })
  })

  app.get('/2024-08-31/functions/:function/recursion-config', (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const { recursion } = registry.get(scope, functionName)
    return context.json({ RecursiveLoop: recursion === 'allow' ? 'Allow' : 'Terminate' })
  })

  app.put('/2024-08-31/functions/:function/recursion-config', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const wanted = (await fieldsFor(context, 'PutFunctionRecursionConfig')).text('RecursiveLoop')
    const constraints = new Constraints()
    constraints.required(wanted, 'recursiveLoop')
    constraints.oneOf(wanted, 'recursiveLoop', ['Terminate', 'Allow'])
    constraints.check()
    await registry.allowRecursion(scope, functionName, wanted === 'Allow' ? 'allow' : 'terminate')
    return context.json({ RecursiveLoop: wanted })
  })
}
