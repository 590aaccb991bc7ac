// time limit: 180 s
import { spawn } from 'node:child_process'
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  DeleteRetentionPolicyCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  ListTagsForResourceCommand,
  PutRetentionPolicyCommand,
  StartLiveTailCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'
import { cleanEnvironment, CLIENT_ENVIRONMENT, findAwsCli2 } from './programs.ts'

/** CloudWatch Logs as its own clients see it. Tests share an engine. */
const logs = suite('the logs API')

const CHATTY = `exports.handler = async ({ lines = 1, word = 'hello' }) => {
  for (let at = 0; at < lines; at++) console.log(word + ' ' + at)
  return lines
}`

let started: Promise<RunningLambent> | undefined
const lambent = (): Promise<RunningLambent> => (started ??= startLambent())

async function open(): Promise<{ client: CloudWatchLogsClient; url: string }> {
  const { url } = await lambent()
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const options = { endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1, disableHostPrefix: true }
  return { client: new CloudWatchLogsClient(options), url }
}

async function chatty(name: string, event: object): Promise<string> {
  const { url } = await open()
  await deploy(url, name, await zipOf({ 'index.js': CHATTY }))
  await invoke(url, name, event)
  return `/aws/lambda/${name}`
}

const namedError = async (call: Promise<unknown>): Promise<string> =>
  await call.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )

logs('groups and streams of functions are described', async () => {
  const { client } = await open()
  const logGroupName = await chatty('described', {})

  const { logGroups = [] } = await client.send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }),
  )
  const { logStreams = [] } = await client.send(
    new DescribeLogStreamsCommand({ logGroupName, orderBy: 'LastEventTime', descending: true }),
  )

  assert.equal(
    logGroups.map(({ logGroupName: name, arn }) => [name, arn]),
    [[logGroupName, `arn:aws:logs:us-east-1:000000000000:log-group:${logGroupName}:*`]],
  )
  assert.is(logStreams.length, 1)
  assert.match(logStreams[0]?.logStreamName ?? '', /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/)
  assert.is(
    await namedError(client.send(new DescribeLogStreamsCommand({ logGroupName: '/aws/lambda/none' }))),
    'ResourceNotFoundException',
  )
})

logs('events of a stream are read from both ends', async () => {
  const { client } = await open()
  const logGroupName = await chatty('both-ends', { lines: 30 })
  const { logStreams = [] } = await client.send(new DescribeLogStreamsCommand({ logGroupName }))
  const logStreamName = logStreams[0]?.logStreamName ?? ''
  const read = async (more: object): Promise<{ lines: string[]; forward: string; backward: string }> => {
    const found = await client.send(new GetLogEventsCommand({ logGroupName, logStreamName, ...more }))
    const lines = (found.events ?? []).map(({ message = '' }) => message.split('\t').at(-1) ?? '')
    return { lines, forward: found.nextForwardToken ?? '', backward: found.nextBackwardToken ?? '' }
  }

  const head = await read({ startFromHead: true, limit: 12 })
  const next = await read({ nextToken: head.forward, limit: 10_000 })
  const end = await read({ nextToken: next.forward })
  const tail = await read({ limit: 3 })
  const before = await read({ limit: 2, nextToken: tail.backward })

  assert.match(head.lines[0] ?? '', /^Runtime Version ARN: /)
  assert.equal(
    head.lines.slice(2),
    Array.from({ length: 10 }, (_, at) => `hello ${at}`),
  )
  assert.equal(
    next.lines.slice(0, 20),
    Array.from({ length: 20 }, (_, at) => `hello ${at + 10}`),
  )
  assert.equal(end.lines, [])
  assert.is(end.forward, next.forward)
  assert.is(tail.lines[0], 'hello 29')
  assert.equal(before.lines, ['hello 27', 'hello 28'])
})

logs('events of a group are filtered by pattern, page by page', async () => {
  const { client, url } = await open()
  const logGroupName = await chatty('filtered', { lines: 25 })
  await invoke(url, 'filtered', { lines: 3, word: 'ERROR' })

  const found = await client.send(new FilterLogEventsCommand({ logGroupName, filterPattern: 'ERROR' }))
  const ids = new Set<string>()
  let nextToken: string | undefined
  let pages = 0
  do {
    const page: { events?: { eventId?: string }[]; nextToken?: string } = await client.send(
      new FilterLogEventsCommand({ logGroupName, filterPattern: '?hello ?ERROR', limit: 10, nextToken }),
    )
    for (const { eventId = '' } of page.events ?? []) ids.add(eventId)
    nextToken = page.nextToken
    pages += 1
  } while (nextToken !== undefined)

  assert.is(found.events?.length, 3)
  assert.is(ids.size, 28)
  assert.is(pages, 3)
  assert.is(
    await namedError(client.send(new FilterLogEventsCommand({ logGroupName, filterPattern: '{ $.a = }' }))),
    'InvalidParameterException',
  )
})

logs('a live tail shows lines as they are written', async () => {
  const { client, url } = await open()
  const logGroupName = await chatty('live', {})
  const arn = `arn:aws:logs:us-east-1:000000000000:log-group:${logGroupName}`
  const { responseStream } = await client.send(
    new StartLiveTailCommand({ logGroupIdentifiers: [arn], logEventFilterPattern: 'live' }),
  )
  const messages: string[] = []
  let hasStarted = false
  for await (const event of responseStream ?? []) {
    if (event.sessionStart !== undefined) {
      hasStarted = true
      await invoke(url, 'live', { word: 'live' })
    }
    for (const { message = '' } of event.sessionUpdate?.sessionResults ?? []) messages.push(message)
    if (messages.length > 0) break
  }

  assert.ok(hasStarted)
  assert.match(messages[0] ?? '', /live 0$/)
})

logs('groups are made, kept for a while, tagged and deleted', async () => {
  const { client } = await open()
  const logGroupName = await chatty('kept', {})
  const resourceArn = `arn:aws:logs:us-east-1:000000000000:log-group:${logGroupName}`
  const described = async (): Promise<(number | undefined)[]> => {
    const { logGroups = [] } = await client.send(
      new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }),
    )
    return logGroups.map(({ retentionInDays }) => retentionInDays)
  }

  assert.is(
    await namedError(client.send(new CreateLogGroupCommand({ logGroupName }))),
    'ResourceAlreadyExistsException',
  )
  await client.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: 7 }))
  assert.equal(await described(), [7])
  await client.send(new DeleteRetentionPolicyCommand({ logGroupName }))
  assert.equal(await described(), [undefined])
  await client.send(new TagResourceCommand({ resourceArn, tags: { team: 'a', stage: 'b' } }))
  await client.send(new UntagResourceCommand({ resourceArn, tagKeys: ['stage'] }))
  const { tags } = await client.send(new ListTagsForResourceCommand({ resourceArn }))
  assert.equal(tags, { team: 'a' })
  await client.send(new DeleteLogGroupCommand({ logGroupName }))
  assert.equal(await described(), [])
  await client.send(new CreateLogGroupCommand({ logGroupName: '/mine/own', tags: { a: 'b' } }))
  const { logGroups = [] } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/mine' }))
  assert.is(logGroups.length, 1)
})

logs('groups of another account or region are not seen', async () => {
  const { url } = await open()
  const logGroupName = await chatty('apart', {})
  for (const [accessKeyId, region] of [
    ['222222222222', 'us-east-1'],
    ['test', 'eu-west-1'],
  ] as const) {
    const credentials = { accessKeyId, secretAccessKey: 'test' }
    const client = new CloudWatchLogsClient({ endpoint: url, region, credentials })

    const { logGroups } = await client.send(new DescribeLogGroupsCommand({}))

    assert.equal(logGroups, [])
    assert.is(
      await namedError(client.send(new FilterLogEventsCommand({ logGroupName }))),
      'ResourceNotFoundException',
    )
  }
})

const cli2 = await findAwsCli2()
const withCli = unlessMissing(logs, cli2 === undefined ? 'the AWS CLI 2 is not installed' : undefined)

withCli('aws logs tail --follow prints what a function writes', async () => {
  const { url } = await open()
  const logGroupName = await chatty('tailed', { word: 'before' })
  const words = ['--endpoint-url', url, 'logs', 'tail', logGroupName, '--follow', '--format', 'short']
  const child = spawn(cli2 ?? '', words, { env: cleanEnvironment(CLIENT_ENVIRONMENT) })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  try {
    await until('the tail shows what was there', () => Promise.resolve(text.includes('before 0')))
    await invoke(url, 'tailed', { word: 'after' })
    await until('the tail shows what is new', () => Promise.resolve(text.includes('after 0')))
  } finally {
    child.kill('SIGKILL')
  }
  assert.is(text.split('before 0').length, 2, text)
})

logs('stops cleanly in the end', async () => {
  assert.is(await (await lambent()).stop(), 0)
})

logs.run()
