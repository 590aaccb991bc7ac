import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createMetrics } from '../../../adapters/lambent-api/metrics.ts'
import type { TaskView } from '../../../runtime/work-views.ts'
import { runOf, SCOPE, startLambentApi, STREAM } from './harness.ts'

interface Answer {
  readonly error?: { code: string; message: string; hint?: string }
  readonly runs?: { runId: string }[]
  readonly next?: string
  readonly lines?: { message: string }[]
}
// Bodies of our own API.
const answerOf = async (promise: Promise<unknown>): Promise<Answer> => (await promise) as Answer

const api = suite('lambent api')

api('health and nodes are as the engine says', async () => {
  await using lambent = await startLambentApi()

  assert.is(((await lambent.json('/health')) as { status: string }).status, 'ok')
  assert.equal(await lambent.json('/nodes'), {
    nodes: [
      { name: 'local', state: 'alive', labels: {}, capacity: { cpu: 2 }, available: { cpu: 1.5 }, gpus: [] },
    ],
  })
  assert.equal(await lambent.json('/environments'), { environments: [] })
  assert.equal(await lambent.json('/functions'), { functions: [] })
})

api('runs come newest first, filtered, page by page', async () => {
  await using lambent = await startLambentApi()
  const { journal } = lambent
  const stream = journal.open(STREAM)
  for (const [runId, status] of [
    ['00000000-0001', 'succeeded'],
    ['00000000-0002', 'failed'],
    ['00000000-0003', 'succeeded'],
  ] as const) {
    journal.finished(stream, runOf({ runId, status }), { startWritten: false, recorded: false })
  }
  const elsewhere = { account: SCOPE.account, region: 'eu-west-1' }
  const there = journal.open({ ...STREAM, scope: elsewhere, functionId: 'f-2' })
  journal.finished(there, runOf({ runId: '00000000-0004', scope: elsewhere, functionId: 'f-2' }), {
    startWritten: false,
    recorded: false,
  })
  await journal.flush()
  const ids = async (query: string) =>
    (await answerOf(lambent.json(`/runs${query}`))).runs?.map((run) => run.runId)

  assert.equal(await ids(''), ['00000000-0003', '00000000-0002', '00000000-0001'])
  assert.equal(await ids('?status=failed'), ['00000000-0002'])
  assert.equal(await ids('?function=nobody'), [])
  assert.equal(await ids('?region=eu-west-1'), ['00000000-0004'])
  assert.equal((await ids('?scope=all'))?.length, 4)
  const first = await answerOf(lambent.json('/runs?limit=2'))
  assert.is(first.next, '00000000-0002')
  assert.equal(await ids(`?limit=2&before=${first.next}`), ['00000000-0001'])
  assert.is((await lambent.request('/runs/00000000-0002')).status, 200)
  const logs = await answerOf(lambent.json('/runs/00000000-0002/logs'))
  assert.match(logs.lines?.map((line) => line.message).join('\n') ?? '', 'END RequestId: 00000000-0002')
})

api('credentials name the region, the query wins over them', async () => {
  await using lambent = await startLambentApi()
  const { journal } = lambent
  const there = journal.open({ ...STREAM, scope: { ...SCOPE, region: 'eu-west-1' } })
  journal.line(there, lambent.clock.nowMs(), 'r-1', 'from there')
  await journal.flush()
  const authorization =
    'AWS4-HMAC-SHA256 Credential=test/20260102/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0'
  const lines = async (query: string, headers: Record<string, string>) =>
    (await answerOf((await lambent.request(`/functions/orders/logs${query}`, { headers })).json())).lines
      ?.length

  assert.is(await lines('', {}), 0)
  assert.is(await lines('', { authorization }), 1)
  assert.is(await lines('?region=us-east-1', { authorization }), 0)
})

api('log lines are found by text, request and time', async () => {
  await using lambent = await startLambentApi()
  const { journal, clock } = lambent
  const stream = journal.open(STREAM)
  journal.line(stream, clock.nowMs(), 'r-1', 'a needle in hay')
  journal.line(stream, clock.nowMs() + 5, 'r-2', 'only hay')
  await journal.flush()
  const lines = async (query: string) =>
    (await answerOf(lambent.json(`/functions/orders/logs${query}`))).lines?.map((line) => line.message)

  assert.equal(await lines(''), ['a needle in hay', 'only hay'])
  assert.equal(await lines('?grep=needle'), ['a needle in hay'])
  assert.equal(await lines('?requestId=r-2'), ['only hay'])
  assert.equal(await lines(`?since=${clock.nowMs() + 1}`), ['only hay'])
  assert.equal(await lines('?since=2026-01-02T03:04:06Z'), [])
  assert.equal(await lines('?limit=1'), ['only hay'])
})

api('errors say code, message and hint', async () => {
  await using lambent = await startLambentApi()
  const expected: readonly [string, string, number, string, string][] = [
    ['GET', '/runs/none', 404, 'NotFound', 'no run "none"'],
    ['GET', '/functions/nobody/logs', 404, 'NotFound', 'no function "nobody"'],
    ['GET', '/nothing', 404, 'NotFound', 'Nothing answers GET'],
    ['GET', '/runs?limit=0&status=odd&since=never', 400, 'Invalid', 'limit: '],
    ['GET', '/runs?limit=0&status=odd&since=never', 400, 'Invalid', 'since: is not a time'],
    ['POST', '/jobs', 501, 'NotBuiltYet', 'not built yet'],
    ['GET', '/jobs/j', 501, 'NotBuiltYet', 'not built yet'],
    ['PUT', '/schedules/daily', 501, 'NotBuiltYet', 'not built yet'],
    ['POST', '/runs/x/cancel', 404, 'NotFound', '"x"'],
    ['POST', '/runs/x/replay', 404, 'NotFound', '"x"'],
    ['PATCH', '/nodes/nowhere', 404, 'NotFound', 'no node nowhere'],
  ]
  for (const [method, path, status, code, text] of expected) {
    const response = await lambent.request(path, { method })
    const { error } = await answerOf(response.json())
    assert.is(response.status, status, path)
    assert.is(error?.code, code)
    assert.match(error?.message ?? '', text)
  }
})

api('tasks and objects are listed, tasks by account, function and state', async () => {
  await using lambent = await startLambentApi()
  const task = (id: string, change: Partial<TaskView>): TaskView => ({
    ...{ id, objectId: `o-${id}`, scope: SCOPE, function: 'orders', task: 'sum', version: '$LATEST' },
    ...{ state: 'waiting', acceptedAtMs: 1, attempt: 1, depth: 0, resources: { cpu: 1 } },
    ...change,
  })
  const reason = 'All environments are busy.'
  lambent.tasks.push(
    task('1', { reason }),
    task('2', { state: 'running', environmentId: 'e-1', startedAtMs: 2 }),
    task('3', { scope: { ...SCOPE, region: 'eu-west-1' } }),
    task('4', { function: 'bills' }),
  )
  lambent.objects.push({ id: 'o-1', state: 'ready', place: 'memory', sizeBytes: 1024, holders: 2 })
  const list = async (query: string) =>
    ((await lambent.json(`/tasks${query}`)) as { tasks: TaskView[] }).tasks.map(({ id }) => id)

  const [first] = ((await lambent.json('/tasks')) as { tasks: TaskView[] }).tasks
  assert.is(first?.reason, reason)
  assert.is(first?.scope, undefined)
  assert.equal(await list(''), ['1', '2', '4'])
  assert.equal(await list('?function=orders&state=running'), ['2'])
  assert.equal(await list('?limit=1'), ['1'])
  assert.equal(await list('?region=eu-west-1'), ['3'])
  assert.equal(await lambent.json('/objects'), { objects: lambent.objects })
})

api('the OpenAPI document describes every operation that is there', async () => {
  await using lambent = await startLambentApi()

  const document = (await lambent.json('/openapi.json')) as {
    openapi: string
    paths: Record<string, { get?: { parameters?: { name: string }[]; responses: Record<string, unknown> } }>
  }

  assert.is(document.openapi, '3.1.0')
  assert.equal(Object.keys(document.paths).toSorted(), [
    '/lambent/v1/actors',
    '/lambent/v1/actors/{function}/{class}/{key}',
    '/lambent/v1/actors/{function}/{class}/{key}/kill',
    '/lambent/v1/actors/{function}/{class}/{key}/{method}',
    '/lambent/v1/caller',
    '/lambent/v1/environments',
    '/lambent/v1/events',
    '/lambent/v1/functions',
    '/lambent/v1/functions/{name}/logs',
    '/lambent/v1/health',
    '/lambent/v1/keys',
    '/lambent/v1/keys/{id}',
    '/lambent/v1/nodes',
    '/lambent/v1/nodes/{name}',
    '/lambent/v1/objects',
    '/lambent/v1/objects/{id}',
    '/lambent/v1/objects/{id}/cancel',
    '/lambent/v1/placement-groups',
    '/lambent/v1/placement-groups/{name}',
    '/lambent/v1/routes',
    '/lambent/v1/runs',
    '/lambent/v1/runs/{id}',
    '/lambent/v1/runs/{id}/cancel',
    '/lambent/v1/runs/{id}/logs',
    '/lambent/v1/runs/{id}/replay',
    '/lambent/v1/tasks',
    '/lambent/v1/tasks/{function}/{task}',
    '/lambent/v1/timeline',
  ])
  const parameters = document.paths['/lambent/v1/runs']?.get?.parameters?.map(({ name }) => name) ?? []
  for (const name of ['function', 'status', 'since', 'limit', 'region']) {
    assert.ok(parameters.includes(name), name)
  }
  assert.match(JSON.stringify(document.paths['/lambent/v1/runs']), 'acceptedAtMs')
})

api.run()

const metricsSuite = suite('metrics')

metricsSuite('count invocations by function, status and cold start', async () => {
  await using lambent = await startLambentApi()
  using metrics = createMetrics(lambent.parts.engine)
  const finish = (functionName: string, status: string, cold: boolean) =>
    lambent.feed.emit('run-finished', { functionName, status, cold, durationMs: 20 })

  finish('orders', 'succeeded', true)
  finish('orders', 'succeeded', false)
  finish('orders', 'failed', false)
  const text = await metrics.text()

  assert.match(text, 'lambent_invocations_total{function="orders",status="succeeded",cold="true"} 1')
  assert.match(text, 'lambent_invocations_total{function="orders",status="failed",cold="false"} 1')
  assert.match(
    text,
    'lambent_invocation_duration_seconds_bucket{le="0.025",function="orders",cold="false"} 2',
  )
  assert.match(text, 'lambent_up 1')
  assert.match(text, 'lambent_node_available{node="local",resource="cpu"} 1.5')
  assert.match(text, 'process_resident_memory_bytes')
})

metricsSuite('labels are bounded, however many functions there are', async () => {
  await using lambent = await startLambentApi()
  using metrics = createMetrics(lambent.parts.engine)

  for (let index = 0; index < 600; index += 1) {
    lambent.feed.emit('run-finished', {
      functionName: `f${index}`,
      status: 'succeeded',
      cold: false,
      durationMs: 1,
    })
  }
  const text = await metrics.text()

  const series = text.split('\n').filter((line) => line.startsWith('lambent_invocations_total{'))
  assert.is(series.length, 501)
  assert.match(text, 'function="other",status="succeeded",cold="false"} 100')
})

metricsSuite.run()
