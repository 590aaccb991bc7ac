import { readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { CLIENT_ENVIRONMENT, isInstalled, runProgram, type ProgramResult } from './programs.ts'

/** What somebody does with the `aws` command. Each call takes most of a second: tests share an engine. */
const cli = suite('the AWS CLI')

interface Version {
  readonly major: number
  /** AWS_ENDPOINT_URL_LAMBDA is read since 1.31 and 2.13; before that there is only --endpoint-url. */
  readonly readsEndpointVariable: boolean
}

async function installedVersion(): Promise<Version | undefined> {
  if (!isInstalled('aws')) return undefined
  const { stdout, stderr } = await runProgram('aws', ['--version'])
  const match = /aws-cli\/(\d+)\.(\d+)\./.exec(stdout + stderr)
  if (match === null) return undefined
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return { major, readsEndpointVariable: minor >= (major === 1 ? 31 : 13) }
}

const version = await installedVersion()
const test = unlessMissing(cli, version === undefined ? 'the AWS CLI is not installed' : undefined)
/** A service's refusal ends version 2 with 254; version 1 ends every failure with 255. */
const REFUSED = version?.major === 1 ? 255 : 254

const folder = temporaryDirectory()
let started: Promise<RunningLambent> | undefined
const lambent = (): Promise<RunningLambent> => (started ??= startLambent())

/** `aws lambda …` with nothing but an endpoint. */
async function aws(...words: readonly string[]): Promise<ProgramResult> {
  const { url } = await lambent()
  const env = { ...CLIENT_ENVIRONMENT, AWS_ENDPOINT_URL_LAMBDA: url }
  const flags = version?.readsEndpointVariable === true ? [] : ['--endpoint-url', url]
  return await runProgram('aws', ['--output', 'json', ...flags, 'lambda', ...words], {
    env,
    cwd: folder.path,
    limitMs: 60_000,
  })
}

/** The answer of a call that must succeed. */
async function answer(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await aws(...words)
  assert.is(code, 0, `aws lambda ${words.join(' ')}: ${stderr}`)
  return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>)
}

async function writeZip(name: string, source: string): Promise<string> {
  writeFileSync(folder.join(name), await zipOf({ 'index.js': source }))
  return `fileb://${name}`
}

const invoked = (): unknown => JSON.parse(readFileSync(folder.join('out.json'), 'utf8'))

const SOURCE = `exports.handler = async (event, context) => {
  console.log('seen', event.a)
  return { a: event.a, version: context.functionVersion, colour: process.env.COLOUR }
}`
const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:cli'

test('creates a function from a zip, waits for it and invokes it with a payload file', async () => {
  writeFileSync(folder.join('event.json'), '{"a":"één"}')
  const zip = await writeZip('one.zip', SOURCE)

  const created = await answer(
    ...['create-function', '--function-name', 'cli', '--runtime', 'nodejs22.x', '--handler', 'index.handler'],
    ...[
      '--role',
      'arn:aws:iam::000000000000:role/r',
      '--zip-file',
      zip,
      '--tags',
      'team=red',
      '--timeout',
      '20',
    ],
  )
  await answer('wait', 'function-active-v2', '--function-name', 'cli')
  const result = await answer(
    ...['invoke', '--function-name', 'cli', '--log-type', 'Tail', '--payload', 'fileb://event.json'],
    'out.json',
  )

  assert.is(created.FunctionArn, ARN)
  assert.is(created.State, 'Pending')
  assert.is(result.StatusCode, 200)
  assert.is(result.ExecutedVersion, '$LATEST')
  assert.match(
    Buffer.from(String(result.LogResult), 'base64').toString(),
    /\tINFO\tseen één\nEND RequestId: /,
  )
  assert.equal(invoked(), { a: 'één', version: '$LATEST' })
})

test('reads a function back, and its code is what was sent', async () => {
  const { Configuration, Code, Tags } = await answer('get-function', '--function-name', ARN)

  const code = await fetch((Code as { Location: string }).Location)
  assert.equal(Buffer.from(await code.arrayBuffer()), readFileSync(folder.join('one.zip')))
  assert.is((Configuration as { State: string }).State, 'Active')
  assert.equal(Tags, { team: 'red' })
})

test('changes code and configuration, publishes, and invokes an alias', async () => {
  const zip = await writeZip('two.zip', SOURCE.replace('event.a,', '2,'))

  await answer('update-function-code', '--function-name', 'cli', '--zip-file', zip)
  await answer('wait', 'function-updated-v2', '--function-name', 'cli')
  const variables = ['--environment', 'Variables={COLOUR=blue}', '--memory-size', '256']
  const configured = await answer('update-function-configuration', '--function-name', 'cli', ...variables)
  const published = await answer('publish-version', '--function-name', 'cli', '--description', 'first')
  const alias = ['--name', 'live', '--function-version', '1']
  const { AliasArn } = await answer('create-alias', '--function-name', 'cli', ...alias)
  await answer('invoke', '--function-name', 'cli', '--qualifier', 'live', 'out.json')

  assert.equal(configured.Environment, { Variables: { COLOUR: 'blue' } })
  assert.is(published.Version, '1')
  assert.is(published.Description, 'first')
  assert.is(AliasArn, `${ARN}:live`)
  assert.equal(invoked(), { a: 2, version: '1', colour: 'blue' })
})

test('keeps concurrency, tags and permissions', async () => {
  const three = ['--reserved-concurrent-executions', '3']
  const put = await answer('put-function-concurrency', '--function-name', 'cli', ...three)
  await answer('tag-resource', '--resource', ARN, '--tags', 'cost=low')
  const tags = await answer('list-tags', '--resource', ARN)
  const grant = ['--action', 'lambda:InvokeFunction', '--principal', 's3.amazonaws.com']
  await answer('add-permission', '--function-name', 'cli', '--statement-id', 's3', ...grant)
  const { Policy } = await answer('get-policy', '--function-name', 'cli')

  assert.is(put.ReservedConcurrentExecutions, 3)
  assert.equal(tags.Tags, { team: 'red', cost: 'low' })
  const [statement] = (JSON.parse(String(Policy)) as { Statement: Record<string, unknown>[] }).Statement
  assert.equal(statement, {
    Sid: 's3',
    Effect: 'Allow',
    Principal: { Service: 's3.amazonaws.com' },
    Action: 'lambda:InvokeFunction',
    Resource: ARN,
  })
})

test('lists page by page', async () => {
  const [functions, versions, aliases] = await Promise.all([
    answer('list-functions', '--function-version', 'ALL', '--page-size', '1'),
    answer('list-versions-by-function', '--function-name', 'cli', '--page-size', '1'),
    answer('list-aliases', '--function-name', 'cli'),
  ])

  const numbers = (list: unknown): string[] => (list as { Version: string }[]).map((one) => one.Version)
  assert.equal(numbers(functions.Functions), ['$LATEST', '1'])
  assert.equal(numbers(versions.Versions), ['$LATEST', '1'])
  assert.equal(
    (aliases.Aliases as { Name: string }[]).map((one) => one.Name),
    ['live'],
  )
})

test('makes a function URL that curl reaches', async () => {
  const { httpUrl } = await lambent()
  const made = await answer('create-function-url-config', '--function-name', 'cli', '--auth-type', 'NONE')

  const { hostname } = new URL(String(made.FunctionUrl))
  // Not every resolver knows names below localhost, so the address is given.
  const { host, port } = new URL(httpUrl)
  const address = ['--resolve', `${hostname}:${port}:127.0.0.1`, `http://${hostname}:${port}/path?q=1`]
  const curl = await runProgram('curl', ['-sS', '-i', ...address])
  const byPath = await fetch(`http://${host}/lambda-url/${hostname.split('.')[0]}/`)

  assert.match(
    curl.stdout,
    /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\{"a":2,"version":"\$LATEST","colour":"blue"\}$/,
  )
  assert.is(byPath.status, 200)
})

test('is told what is not there, in the words and with the exit code of the service', async () => {
  const missing = await aws('get-function', '--function-name', 'nobody')
  const { url } = await lambent()
  const flag = ['--endpoint-url', url, 'lambda', 'delete-alias', '--function-name', 'nobody', '--name', 'a']
  const byFlag = await runProgram('aws', flag, { env: CLIENT_ENVIRONMENT })

  assert.is(missing.code, REFUSED)
  const refusal = 'An error occurred (ResourceNotFoundException) when calling the GetFunction operation: '
  const reason = 'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody'
  assert.ok(missing.stderr.includes(`${refusal}${reason}`), missing.stderr)
  assert.is(byFlag.code, REFUSED)
  assert.match(byFlag.stderr, /ResourceNotFoundException\) when calling the DeleteAlias operation/)
})

test('refuses a second function of a name, and deletes', async () => {
  const again = await aws(
    ...['create-function', '--function-name', 'cli', '--runtime', 'nodejs22.x', '--handler', 'index.handler'],
    ...['--role', 'arn:aws:iam::000000000000:role/r', '--zip-file', 'fileb://one.zip'],
  )
  await answer('delete-function', '--function-name', 'cli')
  const { Functions } = await answer('list-functions')

  assert.is(again.code, REFUSED)
  assert.match(again.stderr, /ResourceConflictException\).*: Function already exist: cli/)
  assert.equal(Functions, [])
})

cli('leaves nothing running', async () => {
  const exit = await (await started)?.stop()
  folder[Symbol.dispose]()

  assert.is(exit, started === undefined ? undefined : 0)
})

cli.run()
