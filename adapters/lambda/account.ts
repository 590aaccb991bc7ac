import { Constraints } from './constraints.ts'
import { fieldsFor, labelFor, scopeFor, type Routes } from './context.ts'

/** GetAccountSettings, and what happens to functions that call themselves in circles. */
export const accountRoutes: Routes = (app, { registry, layers }) => {
  app.get('/2016-08-19/account-settings', (context) => {
    const scope = scopeFor(context)
    const usage = registry.usage(scope)
    return context.json({
      AccountLimit: {
        TotalCodeSize: 80_530_636_800,
        CodeSizeUnzipped: 262_144_000,
        CodeSizeZipped: 52_428_800,
        ConcurrentExecutions: usage.concurrency,
        UnreservedConcurrentExecutions: Math.max(usage.concurrency - usage.reserved, 0),
      },
      AccountUsage: {
        TotalCodeSize: usage.codeBytes + layers.codeBytes(scope),
        FunctionCount: usage.functions,
      },
    })
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
