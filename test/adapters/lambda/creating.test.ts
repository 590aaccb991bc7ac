import { CreateFunctionCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { wantsGpus } from '../../../runtime/wish.ts'
import { NEW, refusalOf, startApi } from './start-api.ts'

const creating = suite('Lambda API: creates that are refused')

const CREATE = { ...NEW, Code: { ZipFile: NEW.Code.ZipFile.toString('base64') } }

const REFUSED_CREATES: readonly [states: string, change: object, name: string, message: string | RegExp][] = [
  ['a name that is taken', {}, 'ResourceConflictException', 'Function already exist: orders'],
  [
    'a role that is none',
    { FunctionName: 'x', Role: 'r1' },
    'ValidationException',
    "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular " +
      String.raw`expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`,
  ],
  [
    'no role',
    { FunctionName: 'x', Role: null },
    'ValidationException',
    "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
  ],
  [
    'an unknown runtime',
    { FunctionName: 'x', Runtime: 'PYTHON3.9' },
    'InvalidParameterValueException',
    /^Value PYTHON3\.9 at 'runtime' failed .*: Member must satisfy enum value set: \[nodejs20\.x, .*\] or be/,
  ],
  [
    'a runtime of the past',
    { FunctionName: 'x', Runtime: 'nodejs14.x' },
    'InvalidParameterValueException',
    'The runtime parameter of nodejs14.x is no longer supported for creating or updating AWS Lambda functions. ' +
      'We recommend you use a supported runtime while creating or updating functions.',
  ],
  [
    'no handler',
    { FunctionName: 'x', Handler: null },
    'InvalidParameterValueException',
    'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
  ],
  [
    'code that is no zip',
    { FunctionName: 'x', Code: { ZipFile: 'AAAA' } },
    'InvalidParameterValueException',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
  ],
  [
    'no code',
    { FunctionName: 'x', Code: {} },
    'InvalidParameterValueException',
    'Please provide a source for function code.',
  ],
  [
    'an unknown architecture',
    { FunctionName: 'x', Architectures: ['x86_32'] },
    'ValidationException',
    "1 validation error detected: Value '[x86_32]' at 'architectures' failed to satisfy constraint: Member must " +
      'satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]',
  ],
  [
    'an unknown snapshot setting',
    { FunctionName: 'x', SnapStart: { ApplyOn: 'invalidOption' } },
    'ValidationException',
    "1 validation error detected: Value 'invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: " +
      'Member must satisfy enum value set: [PublishedVersions, None]',
  ],
  [
    'two mistakes at once',
    { FunctionName: 'x', Timeout: 0, PackageType: 'Jar' },
    'ValidationException',
    "2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value " +
      "greater than or equal to 1; Value 'Jar' at 'packageType' failed to satisfy constraint: Member must satisfy " +
      'enum value set: [Zip, Image]',
  ],
  [
    'reserved variables',
    { FunctionName: 'x', Environment: { Variables: { AWS_REGION: 'x', MINE: 'y' } } },
    'InvalidParameterValueException',
    'Lambda was unable to configure your environment variables because the environment variables you have provided ' +
      'contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION',
  ],
  [
    'more than 4 KB of variables',
    { FunctionName: 'x', Environment: { Variables: { SMALL_VAR: 'ok', LARGE_VAR: 'x'.repeat(4064) } } },
    'InvalidParameterValueException',
    'Lambda was unable to configure your environment variables because the environment variables you have provided ' +
      `exceeded the 4KB limit. String measured: {"SMALL_VAR":"ok","LARGE_VAR":"${'x'.repeat(4064)}"}`,
  ],
  [
    'a layer that does not exist',
    { FunctionName: 'x', Layers: ['arn:aws:lambda:us-east-1:000000000000:layer:doesnotexist:1'] },
    'InvalidParameterValueException',
    'Layer version arn:aws:lambda:us-east-1:000000000000:layer:doesnotexist:1 does not exist.',
  ],
  [
    'a tag that says nothing',
    { FunctionName: 'x', Tags: { 'lambent:cpu': 'many' } },
    'InvalidParameterValueException',
    'Tag lambent:cpu is "many": it takes an amount such as 2 or 0.5.',
  ],
  [
    'too many tags',
    {
      FunctionName: 'x',
      Tags: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`${index}`, 'v'])),
    },
    'InvalidParameterValueException',
    'Number of tags exceeds resource tag limit.',
  ],
  [
    'text where a number belongs',
    { FunctionName: 'x', Timeout: 'soon' },
    'SerializationException',
    'Timeout can not be converted to an Integer',
  ],
]

creating('creates that cannot be are refused by name and in the words of the service', async () => {
  await using api = await startApi()
  await api.client.send(new CreateFunctionCommand(NEW))

  for (const [states, change, name, message] of REFUSED_CREATES) {
    const response = await fetch(`${api.url}/2015-03-31/functions`, {
      method: 'POST',
      body: JSON.stringify({ ...CREATE, ...change }),
    })
    // the cast: every body here is an object
    const body = (await response.json()) as Record<string, unknown>
    assert.is(response.headers.get('x-amzn-errortype'), name, states)
    assert.is(body.__type, name, states)
    assert.is(response.status, name === 'ResourceConflictException' ? 409 : 400, states)
    const said = String(body.message ?? body.Message)
    if (typeof message === 'string') assert.is(said, message, states)
    else assert.match(said, message, states)
    assert.is('Type' in body, name.startsWith('Invalid') || name.startsWith('Resource'), `${states}: Type`)
  }
  const listed = await api.client.send(new ListFunctionsCommand({}))
  assert.is(listed.Functions?.length, 1)
})

creating('extended limits take any time and memory, strict ones those of the service', async () => {
  await using extended = await startApi()
  await using strict = await startApi({ limits: 'strict' })
  const long = { ...NEW, Timeout: 86_400, MemorySize: 100_000 }

  const taken = await extended.client.send(new CreateFunctionCommand(long))
  const refused = await refusalOf(strict.client.send(new CreateFunctionCommand(long)))

  assert.is(taken.Timeout, 86_400)
  assert.is(refused.name, 'ValidationException')
  assert.match(
    refused.message,
    /^2 validation errors detected: Value '86400' at 'timeout' .* 900; Value '100000' at 'memorySize'/,
  )
})

creating('what no node could ever run is refused with what is missing', async () => {
  await using api = await startApi({
    feasible: (one) => (wantsGpus(one.execution) ? 'gpu 1 of 0' : undefined),
  })

  const refused = await refusalOf(
    api.client.send(new CreateFunctionCommand({ ...NEW, Tags: { 'lambent:gpu': '1' } })),
  )

  assert.is(refused.name, 'InvalidParameterValueException')
  assert.match(refused.message, /gpu 1 of 0/)
})

creating('a body past its limit is refused before it is read', async () => {
  await using api = await startApi()

  const response = await fetch(`${api.url}/2015-03-31/functions/orders/aliases`, {
    method: 'POST',
    body: 'x'.repeat(6_291_557),
  })

  assert.is(response.status, 413)
  assert.is(response.headers.get('x-amzn-errortype'), 'RequestEntityTooLargeException')
})

creating.run()
