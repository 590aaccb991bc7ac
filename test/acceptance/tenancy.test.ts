// time limit: 120 s
import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { active, startLambent, zipOf } from '../support/lambent.ts'

const tenancy = suite('functions that keep tenants apart')

const CODE = `
  let calls = 0
  exports.handler = async (event, context) => ({ tenant: context.tenantId, calls: ++calls })`

tenancy(
  'each tenant has environments of its own; a call without one, or with one elsewhere, is refused',
  async () => {
    await using lambent = await startLambent()
    const client = new LambdaClient({
      endpoint: lambent.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    })
    const create = async (FunctionName: string, more: object): Promise<void> => {
      await client.send(
        new CreateFunctionCommand({
          FunctionName,
          Role: 'arn:aws:iam::000000000000:role/r',
          Runtime: `nodejs${process.versions.node.split('.')[0]}.x` as 'nodejs20.x',
          Handler: 'index.handler',
          Code: { ZipFile: await zipOf({ 'index.js': CODE }) },
          ...more,
        }),
      )
      await active(lambent.url, FunctionName)
    }
    await create('apart', { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } })
    await create('together', {})
    const call = async (FunctionName: string, more: object): Promise<unknown> => {
      const { Payload, StatusCode } = await client.send(new InvokeCommand({ FunctionName, ...more }))
      return StatusCode === 200 ? JSON.parse(Buffer.from(Payload ?? []).toString('utf8')) : StatusCode
    }
    const refusal = (FunctionName: string, more: object): Promise<string> =>
      call(FunctionName, more).then(
        () => 'taken',
        (error: Error) => `${error.name}: ${error.message}`,
      )

    const shown = await client.send(new GetFunctionConfigurationCommand({ FunctionName: 'apart' }))
    const blue = [await call('apart', { TenantId: 'blue' }), await call('apart', { TenantId: 'blue' })]
    const green = await call('apart', { TenantId: 'green' })

    assert.equal(shown.TenancyConfig, { TenantIsolationMode: 'PER_TENANT' })
    assert.equal(blue, [
      { tenant: 'blue', calls: 1 },
      { tenant: 'blue', calls: 2 },
    ])
    assert.equal(green, { tenant: 'green', calls: 1 })
    assert.is(await call('apart', { TenantId: 'blue', InvocationType: 'Event' }), 202)
    assert.match(await refusal('apart', {}), /^InvalidParameterValueException: .*Add a valid tenant ID/)
    assert.match(await refusal('apart', { InvocationType: 'Event' }), /^InvalidParameterValueException/)
    assert.match(await refusal('together', { TenantId: 'blue' }), /^InvalidParameterValueException: .*Remove/)
    assert.match(await refusal('apart', { TenantId: 'bl*ue' }), /^ValidationException: .*'tenantId'/)
    const wrong = await create('wrong', { TenancyConfig: { TenantIsolationMode: 'SOME' } }).catch(
      (error: Error) => error.message,
    )
    assert.match(
      String(wrong),
      /'tenancyConfig.tenantIsolationMode' failed .* enum value set: \[PER_TENANT\]/,
    )
  },
)

tenancy.run()
