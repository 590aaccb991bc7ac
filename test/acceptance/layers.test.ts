// time limit: 120 s
import { existsSync } from 'node:fs'
import {
  CreateFunctionCommand,
  DeleteLayerVersionCommand,
  InvokeCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  UpdateFunctionConfigurationCommand,
  type CreateFunctionCommandInput,
  type Runtime,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { active, startLambent, zipOf, type RunningLambent, type ZippedFile } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const layers = suite('layers')

const RUNTIME = `nodejs${process.versions.node.split('.')[0]}.x` as Runtime
const ROLE = 'arn:aws:iam::000000000000:role/test'

const clientOf = ({ url }: RunningLambent): LambdaClient =>
  new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })

/** Publishes a layer of these files and gives its version's ARN. */
async function publish(
  client: LambdaClient,
  LayerName: string,
  files: Readonly<Record<string, ZippedFile>>,
): Promise<string> {
  const Content = { ZipFile: await zipOf(files) }
  const { LayerVersionArn = '' } = await client.send(new PublishLayerVersionCommand({ LayerName, Content }))
  return LayerVersionArn
}

async function create(
  lambent: RunningLambent,
  client: LambdaClient,
  FunctionName: string,
  files: Readonly<Record<string, string>>,
  Layers: string[],
  change: Partial<CreateFunctionCommandInput> = {},
): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      Role: ROLE,
      Runtime: RUNTIME,
      Handler: 'index.handler',
      Timeout: 60,
      Code: { ZipFile: await zipOf(files) },
      Layers,
      ...change,
    }),
  )
  await active(lambent.url, FunctionName)
}

async function call(client: LambdaClient, FunctionName: string): Promise<unknown> {
  const { Payload } = await client.send(new InvokeCommand({ FunctionName }))
  return JSON.parse(Buffer.from(Payload ?? []).toString('utf8'))
}

/** Says what of its layers a handler sees, with `root` for where they lie. */
const LOOKING = `
  const fs = require('node:fs')
  const greet = require('greeter')
  exports.handler = async () => ({
    greeting: greet(),
    own: require('own-major').name,
    text: fs.readFileSync(process.env.NODE_PATH.split('/nodejs/')[0] + '/text.txt', 'utf8'),
    path: process.env.NODE_PATH.split(':').slice(0, 2),
    programs: process.env.PATH.split(':').at(-1),
    libraries: process.env.LD_LIBRARY_PATH.split(':').at(-1),
  })`

const FIRST = {
  'nodejs/node_modules/greeter/index.js': `module.exports = () => 'first'`,
  [`nodejs/node${RUNTIME.slice(6, 8)}/node_modules/own-major/index.js`]: `exports.name = 'major'`,
  'text.txt': 'of the first',
  'folder/in-the-way': 'a file in a folder',
}
const SECOND = {
  'nodejs/node_modules/greeter/index.js': `module.exports = () => 'second'`,
  folder: 'a file where a folder was',
}

for (const isolation of ['auto', 'none'])
  layers(`isolation ${isolation}: layers are merged in order, and a later one wins`, async () => {
    await using lambent = await startLambent({ argv: ['--isolation', isolation] })
    const client = clientOf(lambent)
    const first = await publish(client, 'one', FIRST)
    const second = await publish(client, 'two', SECOND)

    await create(lambent, client, 'forwards', { 'index.js': LOOKING }, [first, second])
    await create(lambent, client, 'backwards', { 'index.js': LOOKING }, [second, first])
    await create(lambent, client, 'alone', { 'index.js': LOOKING }, [first])
    const [forwards, backwards, alone] = (await Promise.all(
      ['forwards', 'backwards', 'alone'].map((name) => call(client, name)),
    )) as Record<string, unknown>[]

    assert.is(forwards?.['greeting'], 'second')
    assert.is(backwards?.['greeting'], 'first')
    assert.is(alone?.['greeting'], 'first')
    assert.is(forwards?.['text'], 'of the first')
    assert.is(forwards?.['own'], 'major')
    client.destroy()
    if (isolation === 'none') return
    const { path, programs, libraries } = forwards ?? {}
    assert.equal(path, [`/opt/nodejs/node${RUNTIME.slice(6, 8)}/node_modules`, '/opt/nodejs/node_modules'])
    assert.equal([programs, libraries], ['/opt/bin', '/opt/lib'])
  })

for (const isolation of ['auto', 'none'])
  layers(`isolation ${isolation}: ES modules import what is in a layer`, async () => {
    await using lambent = await startLambent({ argv: ['--isolation', isolation] })
    const client = clientOf(lambent)
    const layer = await publish(client, 'modules', {
      'nodejs/node_modules/old-style/index.js': `module.exports = { name: 'old' }`,
      'nodejs/node_modules/new-style/package.json': `{ "type": "module", "exports": "./main.js" }`,
      'nodejs/node_modules/new-style/main.js': `export const name = 'new'`,
      'nodejs/node_modules/both/index.js': `exports.name = 'of the layer'`,
    })
    const handler = `
      import old from 'old-style'
      import { name } from 'new-style'
      import both from 'both'
      export const handler = async () => {
        const missing = await import('nowhere').catch((error) => error.code)
        return [old.name, name, both.name, (await import('new-style')).name, missing]
      }`

    const own = { 'node_modules/both/index.js': `exports.name = 'of the code'` }
    await create(lambent, client, 'modern', { 'index.mjs': handler, ...own }, [layer])
    const answer = await call(client, 'modern')

    assert.equal(answer, ['old', 'new', 'of the code', 'new', 'ERR_MODULE_NOT_FOUND'])
    client.destroy()
  })

const noPython = ['/usr/bin/python3', '/usr/local/bin/python3', '/bin/python3'].some((path) =>
  existsSync(path),
)
  ? undefined
  : 'there is no python3 in /usr/bin or /usr/local/bin'

for (const isolation of ['auto', 'none'])
  unlessMissing(layers, noPython)(`isolation ${isolation}: Python imports what is in a layer`, async () => {
    await using lambent = await startLambent({ argv: ['--isolation', isolation] })
    const client = clientOf(lambent)
    const layer = await publish(client, 'modules', {
      'python/plain.py': 'name = "plain"',
      'python/lib/python3.12/site-packages/sited/__init__.py': 'name = "sited"',
    })
    const handler =
      'import plain, sited\n\ndef handler(event, context):\n    return [plain.name, sited.name]\n'

    const change = { Runtime: 'python3.12', Handler: 'index.handler' } as const
    await create(lambent, client, 'snake', { 'index.py': handler }, [layer], change)
    const answer = await call(client, 'snake')

    assert.equal(answer, ['plain', 'sited'])
    client.destroy()
  })

for (const isolation of ['auto', 'none'])
  layers(`isolation ${isolation}: a layer brings the program that starts the runtime`, async () => {
    await using lambent = await startLambent({ argv: ['--isolation', isolation] })
    const client = clientOf(lambent)
    const program = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    const layer = await publish(client, 'wrapping', { 'bin/wrapper': { program } })
    const handler = 'exports.handler = async () => process.env.WRAPPED'

    const change = { Environment: { Variables: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/bin/wrapper' } } }
    await create(lambent, client, 'wrapped', { 'index.js': handler }, [layer], change)
    const answer = await call(client, 'wrapped')

    assert.is(answer, 'yes')
    client.destroy()
  })

layers('an image is kept, and refused with the reason when it is called', async () => {
  await using lambent = await startLambent()
  const client = clientOf(lambent)
  const FunctionName = 'image'
  const Code = { ImageUri: '000000000000.dkr.ecr.us-east-1.amazonaws.com/image:latest' }
  await client.send(new CreateFunctionCommand({ FunctionName, Role: ROLE, PackageType: 'Image', Code }))
  await active(lambent.url, FunctionName)

  const refused = await client.send(new InvokeCommand({ FunctionName })).catch((error: unknown) => error)

  assert.instance(refused, Error)
  assert.match((refused as Error).message, /container images cannot run here/)
  client.destroy()
})

layers('a function keeps a layer version that is deleted, over a restart and a change', async () => {
  using folder = temporaryDirectory()
  const data = folder.join('data')
  const reading = `exports.handler = async () => require('greeter')()`
  await using before = await startLambent({ data })
  const client = clientOf(before)
  const first = await publish(client, 'one', FIRST)
  await create(before, client, 'keeper', { 'index.js': reading }, [first])
  const used = await call(client, 'keeper')

  await client.send(new DeleteLayerVersionCommand({ LayerName: 'one', VersionNumber: 1 }))
  const deleted = await call(client, 'keeper')
  await before.stop()
  client.destroy()
  await using after = await startLambent({ data })
  const again = clientOf(after)
  const restarted = await call(again, 'keeper')
  const change = { FunctionName: 'keeper', Description: 'changed', Layers: [first] }
  await again.send(new UpdateFunctionConfigurationCommand(change))
  await active(after.url, 'keeper')
  const changed = await call(again, 'keeper')
  await again.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'keeper', Layers: [] }))
  await active(after.url, 'keeper')
  const without = (await call(again, 'keeper')) as { errorType?: string }

  assert.equal([used, deleted, restarted, changed], ['first', 'first', 'first', 'first'])
  assert.is(without.errorType, 'Error')
  again.destroy()
})

layers.run()
