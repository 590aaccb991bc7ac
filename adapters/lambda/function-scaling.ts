import type { Context } from 'hono'
import { arnOf, type ScalingSettings } from '../../runtime/registry/function-record.ts'
import { putScaling, scalingOf } from '../../runtime/registry/scaling.ts'
import { Constraints, pattern } from './constraints.ts'
import { fieldsFor, labelFor, type Routes } from './context.ts'
import { stateOf, type Wire } from './wire.ts'

const QUALIFIER = pattern(String.raw`(\$LATEST\.PUBLISHED|[0-9]+)`)
const MAX_ENVIRONMENTS = 15_000

/** PutFunctionScalingConfig and GetFunctionScalingConfig: how many environments a version has. */
export const functionScalingRoutes: Routes = (app, { registry }) => {
  const path = '/2025-11-30/functions/:function/function-scaling-config'

  app.put(path, async (context) => {
    const body = (await fieldsFor(context, 'PutFunctionScalingConfig')).fields('FunctionScalingConfig')
    const low = body?.integer('MinExecutionEnvironments')
    const high = body?.integer('MaxExecutionEnvironments')
    const constraints = new Constraints()
    constraints.range(low, 'functionScalingConfig.minExecutionEnvironments', 0, MAX_ENVIRONMENTS)
    constraints.range(high, 'functionScalingConfig.maxExecutionEnvironments', 0, MAX_ENVIRONMENTS)
    const version = versionIn(context, constraints)
    const { scope, functionName } = labelFor(context, 'plain')
    const settings = { minEnvironments: low ?? null, maxEnvironments: high ?? null }
    await registry.edit(scope, functionName, (record, making) =>
      putScaling(record, version, settings, making),
    )
    return context.json({ FunctionState: stateOf(registry.get(scope, functionName), version) }, 202)
  })

  app.get(path, (context) => {
    const version = versionIn(context, new Constraints())
    const { scope, functionName } = labelFor(context, 'plain')
    const record = registry.get(scope, functionName)
    const config = wireOf(scalingOf(record, version))
    return context.json({
      FunctionArn: arnOf(record, version),
      AppliedFunctionScalingConfig: config,
      RequestedFunctionScalingConfig: config,
    })
  })
}

function versionIn(context: Context, constraints: Constraints): string {
  const qualifier = context.req.query('Qualifier')
  constraints.required(qualifier, 'qualifier')
  constraints.pattern(qualifier, 'qualifier', QUALIFIER)
  constraints.check()
  return qualifier ?? ''
}

const wireOf = ({ minEnvironments, maxEnvironments }: ScalingSettings): Wire | undefined =>
  minEnvironments === null && maxEnvironments === null
    ? undefined
    : {
        MinExecutionEnvironments: minEnvironments ?? undefined,
        MaxExecutionEnvironments: maxEnvironments ?? undefined,
      }
