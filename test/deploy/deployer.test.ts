import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  GetFunctionCommand,
  GetFunctionEventInvokeConfigCommand,
  GetFunctionUrlConfigCommand,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProjectError } from '../../deploy/config-file.ts'
import { DeployError, deployFolder, type DeployProgress } from '../../deploy/deployer.ts'
import { curlLines } from '../../deploy/examples.ts'
import { startApi } from '../adapters/lambda/start-api.ts'
import { rejects } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { zipOf } from '../registry/zip-bytes.ts'

const deploying = suite('deploying')

const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Writes `files` by relative path and answers the folder. */
function project(folder: TemporaryDirectory, files: Record<string, string | Buffer>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join('p', path)), { recursive: true })
    writeFileSync(folder.join('p', path), content)
  }
  return folder.join('p')
}

deploying('a function without limits is Active with tags that say so', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, { 'orders/index.ts': `export const handler = async () => 'ok'` })

  const [deployed] = await deployFolder([path], { endpoint: api.url })
  const held = await api.client.send(new GetFunctionCommand({ FunctionName: 'orders' }))

  assert.is(deployed?.name, 'orders')
  assert.is(deployed?.outcome, 'created')
  assert.is(deployed?.url, undefined)
  assert.is(deployed?.codeSha256, held.Configuration?.CodeSha256)
  assert.is(deployed?.arn, 'arn:aws:lambda:us-east-1:000000000000:function:orders')
  assert.is(held.Configuration?.State, 'Active')
  assert.is(held.Configuration?.Handler, 'index.handler')
  assert.is(held.Configuration?.Runtime, `nodejs${process.versions.node.split('.')[0]}.x`)
  assert.equal(held.Tags, { 'lambent:timeout': 'none', 'lambent:memory-mb': 'none' })
})

const SETTINGS = `{
  memoryMb: 64, timeout: '90s', env: { AA: '1' }, cpu: 0.5, concurrency: 4, reserved: 7, provisioned: 2,
  retries: 1, maxAge: '2m',
  resources: { license: 1 }, labels: { zone: 'a' }, tags: { team: 'blue' }, runtime: 'nodejs22.x',
  handler: 'main',
  url: { stream: true, cors: { allowOrigins: ['https://a.example'], maxAge: '1m' } },
}`

deploying('functions may be each other’s destinations, whichever comes first', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const to = (other: string): string =>
    `export const config = { onFailure: '${other}' }\nexport const handler = () => 1`
  const path = project(folder, { 'a/index.ts': to('b'), 'b/index.ts': to('a') })

  const deployed = await deployFolder([path], { endpoint: api.url })
  const events = await api.client.send(new GetFunctionEventInvokeConfigCommand({ FunctionName: 'a' }))

  assert.equal(
    deployed.map(({ name }) => name),
    ['a', 'b'],
  )
  assert.is(
    events.DestinationConfig?.OnFailure?.Destination,
    'arn:aws:lambda:us-east-1:000000000000:function:b',
  )
  project(folder, { 'a/index.ts': to('nobody') })
  const failure = await rejects(deployFolder([path], { endpoint: api.url }))
  assert.instance(failure, DeployError)
})

deploying('every setting reaches Lambda, in its words or as a tag', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, {
    'f/index.ts': `export const config = ${SETTINGS}\nexport const main = () => 1`,
  })

  const [deployed] = await deployFolder([path], { endpoint: api.url })
  const held = await api.client.send(new GetFunctionCommand({ FunctionName: 'f' }))
  const url = await api.client.send(new GetFunctionUrlConfigCommand({ FunctionName: 'f' }))
  const events = await api.client.send(new GetFunctionEventInvokeConfigCommand({ FunctionName: 'f' }))

  const { Handler, Runtime, Timeout, MemorySize, Environment } = held.Configuration ?? {}
  assert.equal([Handler, Runtime, Timeout, MemorySize], ['index.main', 'nodejs22.x', 90, 128])
  assert.equal(Environment?.Variables, { AA: '1' })
  assert.equal(held.Tags, {
    team: 'blue',
    'lambent:memory-mb': '64',
    'lambent:cpu': '0.5',
    'lambent:concurrency': '4',
    'lambent:provisioned': '2',
    'lambent:resource/license': '1',
    'lambent:label/zone': 'a',
  })
  assert.is(held.Concurrency?.ReservedConcurrentExecutions, 7)
  assert.equal([url.AuthType, url.InvokeMode, url.Cors?.MaxAge], ['NONE', 'RESPONSE_STREAM', 60])
  assert.is(deployed?.url, url.FunctionUrl)
  assert.equal([events.MaximumRetryAttempts, events.MaximumEventAgeInSeconds], [1, 120])
})

deploying(
  'what has not changed is left alone, what was taken out of the settings is taken back',
  async () => {
    using folder = temporaryDirectory()
    await using api = await startApi()
    const path = project(folder, {
      'f/index.ts': `export const config = ${SETTINGS}\nexport const main = () => 1`,
    })
    const deploy = async (): Promise<string | undefined> =>
      (await deployFolder([path], { endpoint: api.url }))[0]?.outcome
    const revision = async (): Promise<string | undefined> =>
      (await api.client.send(new GetFunctionCommand({ FunctionName: 'f' }))).Configuration?.RevisionId

    const first = await deploy()
    const before = await revision()
    const second = await deploy()
    const after = await revision()
    project(folder, {
      'f/index.ts': `export const config = { handler: 'main' }\nexport const main = () => 2`,
    })
    const third = await deploy()
    const held = await api.client.send(new GetFunctionCommand({ FunctionName: 'f' }))

    assert.equal([first, second, third], ['created', 'unchanged', 'updated'])
    assert.is(before, after)
    assert.equal(held.Tags, { 'lambent:timeout': 'none', 'lambent:memory-mb': 'none' })
    assert.is(held.Concurrency, undefined)
    await rejects(api.client.send(new GetFunctionUrlConfigCommand({ FunctionName: 'f' })))
    await rejects(api.client.send(new GetFunctionEventInvokeConfigCommand({ FunctionName: 'f' })))
  },
)

deploying('only the settings changed: the code is not sent again', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, {
    'f/index.ts': `export const config = { env: { AA: '1' } }\nexport const handler = () => 1`,
  })
  await deployFolder([path], { endpoint: api.url })
  const steps: string[] = []
  const onProgress = ({ step }: DeployProgress): void => void steps.push(step)
  // the same code: the configuration is folded away where nothing uses it
  project(folder, {
    'lambent.config.ts': `export default { functions: { f: { entry: 'f', env: { AA: '2' } } } }`,
  })

  const [deployed] = await deployFolder([folder.join('p/lambent.config.ts')], {
    endpoint: api.url,
    onProgress,
  })
  const held = await api.client.send(new GetFunctionCommand({ FunctionName: 'f' }))

  assert.is(deployed?.outcome, 'updated')
  assert.not.ok(steps.includes('uploading'))
  assert.equal(held.Configuration?.Environment?.Variables, { AA: '2' })
})

deploying('plain Lambda code and zips are deployed byte for byte', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const zip = zipOf([{ name: 'index.js', content: 'exports.handler = () => 1' }])
  const path = project(folder, {
    'plain/index.js': `exports.handler = async () => require('./other.js')`,
    'plain/other.js': `module.exports = 1`,
    'packed.zip': zip,
  })

  const deployed = await deployFolder([join(path, 'plain'), join(path, 'packed.zip')], { endpoint: api.url })
  const packed = await api.client.send(new GetFunctionCommand({ FunctionName: 'packed' }))

  assert.equal(
    deployed.map((one) => one.name),
    ['packed', 'plain'],
  )
  assert.is(packed.Configuration?.CodeSize, zip.length)
})

deploying('a function that cannot be deployed does not keep others from it', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, {
    'broken/index.ts': `import './nowhere.ts'\nexport const handler = () => 1`,
    'refused/index.ts': `export const config = { runtime: 'cobol' }\nexport const handler = () => 1`,
    'fine/index.ts': `export const handler = () => 1`,
  })

  const error = await rejects(deployFolder([path], { endpoint: api.url }))

  assert.instance(error, DeployError)
  assert.match(error.message, /^broken: index\.ts:1:\d+: .*nowhere/m)
  assert.match(error.message, /^refused: InvalidParameterValueException: .*cobol/m)
  assert.equal(
    (error instanceof DeployError ? error.deployed : []).map((one) => one.name),
    ['fine'],
  )
})

deploying('nothing is deployed when a configuration has a problem', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, {
    'fine/index.ts': `export const handler = () => 1`,
    'wrong/index.ts': `export const config = { cpus: 1 }`,
  })

  const error = await rejects(deployFolder([path], { endpoint: api.url }))
  const { Functions } = await api.client.send(new ListFunctionsCommand({}))

  assert.instance(error, ProjectError)
  assert.equal(Functions, [])
})

deploying('account and region are those of the target', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = project(folder, { 'f/index.ts': `export const handler = () => 1` })

  const [deployed] = await deployFolder([path], {
    endpoint: api.url,
    region: 'eu-west-1',
    account: '123456789012',
  })

  assert.is(deployed?.arn, 'arn:aws:lambda:eu-west-1:123456789012:function:f')
})

deploying('an engine that cannot be reached is an error that says so', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, { 'f/index.ts': `export const handler = () => 1` })

  const error = await rejects(deployFolder([path], { endpoint: 'http://127.0.0.1:9' }))

  assert.match(error.message, /fetch failed|bad port/)
})

deploying('the examples deploy, each with a curl line that says what to send', async () => {
  using folder = temporaryDirectory()
  await using api = await startApi()
  const path = folder.join('functions')
  cpSync(join(CHECKOUT, 'functions'), path, { recursive: true })
  // One is large, the other wants routes, which the API of this file does not have.
  for (const name of ['embeddings', 'chat-room']) rmSync(join(path, name), { recursive: true })
  cpSync(join(CHECKOUT, 'node_modules/@middy'), folder.join('node_modules/@middy'), { recursive: true })

  const deployed = await deployFolder([path], { endpoint: api.url })
  const lineOf = (name: string): string => curlLines(deployed.filter((one) => one.name === name)).join('\n')

  assert.match(lineOf('hello'), /^curl 'http:\/\/127\.0\.0\.1:4701\/lambda-url\/[a-z0-9]{32}\/\?name=Ada'$/)
  assert.match(
    lineOf('middleware'),
    /^curl http:\S+ -H 'content-type: application\/json' -d '\{"item":"tea","quantity":2\}'$/,
  )
  assert.match(lineOf('stream'), /^curl -N 'http:/)
  assert.match(lineOf('counter'), /\?name=visits/)
  assert.match(lineOf('word-count'), /\?chunks=8&top=5'$/)
})

deploying.run()
