// time limit: 300 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isInstalled, runProgram } from '../../acceptance/programs.ts'
import { startLambent, zipOf, type RunningLambent } from '../../support/lambent.ts'
import { unlessMissing } from '../../support/skip.ts'
import { awsCli, boto, javascript, type ClientAnswer, type Driver } from './drivers.ts'
import { fortyCalls, type Blobs } from './forty-calls.ts'

/** One script through the clients that people use, each in an account of its own: all see the same. */
const clients = suite('three clients')

const ECHO = `exports.handler = async (event) => {
  if (event.fail) throw new TypeError(event.fail)
  return { ...event, stage: process.env.STAGE }
}`

let started: Promise<{ lambent: RunningLambent; blobs: Blobs }> | undefined
const open = (): Promise<{ lambent: RunningLambent; blobs: Blobs }> =>
  (started ??= (async () => ({
    lambent: await startLambent({ argv: ['--limits', 'strict'] }),
    blobs: {
      first: await zipOf({ 'index.js': ECHO }),
      second: await zipOf({ 'index.js': `${ECHO}\n// second` }),
      layer: await zipOf({ 'nodejs/note.txt': 'from a layer' }),
    },
  }))())

/** What differs from run to run, by the member's name. */
const VOLATILE = new Set([
  ...['RevisionId', 'LastModified', 'LastModifiedTime', 'CreationTime', 'CreatedDate', 'UUID'],
  ...['Location', 'FunctionUrl', 'NextMarker', 'EventSourceMappingArn', 'State'],
])

const comparable = (answers: readonly ClientAnswer[], account: string): unknown[] =>
  JSON.parse(
    JSON.stringify(answers, (name, value: unknown) => (VOLATILE.has(name) ? '…' : value)).replaceAll(
      account,
      'ACCOUNT',
    ),
  ) as unknown[] // an array went in

async function run(driver: Driver, account: string): Promise<unknown[]> {
  const { lambent, blobs } = await open()
  const calls = fortyCalls(account)

  const answers = await driver({ url: lambent.url, account, calls, blobs })

  assert.is(answers.length, calls.length)
  for (const [index, { operation, error }] of calls.entries())
    assert.is(answers[index]?.error, error, `call ${index}, ${operation}: ${JSON.stringify(answers[index])}`)
  return comparable(answers, account).map(withoutStatus)
}

/** Some clients show the status as a member, some leave it out. */
function withoutStatus(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutStatus)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([name]) => name !== 'StatusCode')
  return Object.fromEntries(
    kept
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, item]) => [name, withoutStatus(item)]),
  )
}

let first: unknown[] = []

/** What another client saw differently, call by call. */
function assertSame(seen: readonly unknown[]): void {
  const operations = fortyCalls('').map(({ operation }) => operation)
  const differences = operations.flatMap((operation, index) => {
    const [expected, actual] = [JSON.stringify(first[index]), JSON.stringify(seen[index])]
    return expected === actual ? [] : [`${operation}: ${actual} instead of ${expected}`]
  })
  assert.equal(differences, [])
}

clients('the SDK for JavaScript', async () => {
  first = await run(javascript, '111111111111')
})

const hasBoto = isInstalled('python3') && (await runProgram('python3', ['-c', 'import boto3'])).code === 0

unlessMissing(clients, hasBoto ? undefined : 'boto3 is not installed')('boto3', async () => {
  assertSame(await run(boto, '222222222222'))
})

unlessMissing(clients, isInstalled('aws') ? undefined : 'the AWS CLI is not installed')(
  'the AWS CLI',
  async () => {
    assertSame(await run(awsCli, '333333333333'))
  },
)

clients('stops cleanly in the end', async () => {
  assert.is(await (await started)?.lambent.stop(), 0)
})

clients.run()
