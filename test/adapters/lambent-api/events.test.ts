import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EventRequest } from '../../../runtime/invoke/types.ts'
import { runOf, SCOPE, startLambentApi, STREAM, type LambentApiHarness } from './harness.ts'

const api = suite('lambent api: events')

const ID = '019b7d1e-0001-4000-8000-000000000000'
const event = (requestId: string, payload = '{"n":1}'): EventRequest => ({
  scope: SCOPE,
  functionName: 'orders',
  qualifier: undefined,
  payload: Buffer.from(payload),
  requestId,
  traceId: '',
  clientContext: '',
  tenantId: '',
})

interface Shown {
  readonly runId: string
  readonly status: string
  readonly attempt: number
  readonly reason?: string
  readonly dueAtMs?: number
  readonly outcome?: string
  readonly deliveries?: readonly unknown[]
}
// Bodies of our own API.
const shown = async (lambent: LambentApiHarness, id: string): Promise<Shown> =>
  (await lambent.json(`/runs/${id}`)) as Shown
const listed = async (lambent: LambentApiHarness, query = ''): Promise<Shown[]> =>
  ((await lambent.json(`/runs${query}`)) as { runs: Shown[] }).runs

/** Ends an attempt that was started. */
async function fail(lambent: LambentApiHarness): Promise<void> {
  const [one] = lambent.started.splice(0)
  assert.ok(one, 'nothing was started')
  one.sink.result({
    kind: 'function-error',
    payload: Buffer.from('{"errorType":"Error","errorMessage":"no"}'),
    executedVersion: '$LATEST',
    logTail: undefined,
    contentType: '',
  })
  const { requestId } = one.request
  await one.recordFirst(runOf({ runId: requestId, trigger: 'event', status: 'failed', attempt: one.attempt }))
}

async function failForGood(lambent: LambentApiHarness): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    await fail(lambent)
    await lambent.clock.advance(120_000)
  }
}

api(
  'one that waits is listed with its attempts and the reason, and one that has ended with its outcome',
  async () => {
    await using lambent = await startLambentApi()
    await lambent.invoker.accept(event(ID))
    await fail(lambent)

    const [waiting] = await listed(lambent)
    assert.equal([waiting?.runId, waiting?.status, waiting?.attempt], [ID, 'waiting', 1])
    assert.match(waiting?.reason ?? '', /^Attempt 1 failed; the next one is due at 2026-01-02T03:05:05/)
    assert.is(waiting?.dueAtMs, lambent.clock.nowMs() + 60_000)
    assert.is((await listed(lambent, '?status=waiting')).length, 1)
    assert.is((await listed(lambent, '?status=failed')).length, 0)
    assert.is((await listed(lambent, '?function=others')).length, 0)
    assert.is((await listed(lambent, '?region=eu-west-1')).length, 0)
    await lambent.clock.advance(60_000)
    await fail(lambent)
    await lambent.clock.advance(120_000)
    await fail(lambent)

    const ended = await shown(lambent, ID)
    assert.equal(
      [ended.status, ended.attempt, ended.outcome, ended.deliveries],
      ['failed', 3, 'retries-exhausted', []],
    )
    assert.is((await listed(lambent, '?status=waiting')).length, 0)
    assert.is((await listed(lambent)).length, 1)
  },
)

api('waiting and finished ones are one list, page by page', async () => {
  await using lambent = await startLambentApi()
  const id = (number: number): string => `019b7d1e-000${number}-4000-8000-000000000000`
  const stream = lambent.journal.open(STREAM)
  for (const number of [1, 3])
    lambent.journal.finished(stream, runOf({ runId: id(number) }), { startWritten: false, recorded: false })
  await lambent.journal.flush()
  for (const number of [2, 4]) await lambent.invoker.accept(event(id(number)))

  const first = (await lambent.json('/runs?limit=3')) as { runs: Shown[]; next?: string }
  const second = await listed(lambent, `?limit=3&before=${first.next}`)

  assert.equal(
    [...first.runs, ...second].map(({ runId }) => runId),
    [4, 3, 2, 1].map(id),
  )
})

api('a cancelled event ends, and cannot be cancelled twice or once it runs', async () => {
  await using lambent = await startLambentApi()
  await lambent.invoker.accept(event(ID))
  const cancel = () => lambent.request(`/runs/${ID}/cancel`, { method: 'POST' })

  const started = await cancel()
  await fail(lambent)
  const cancelled = await cancel()
  const again = await cancel()

  assert.equal([started.status, cancelled.status, again.status], [409, 200, 409])
  assert.equal(await cancelled.json(), { runId: ID, status: 'cancelled' })
  assert.equal((({ status, outcome }) => ({ status, outcome }))(await shown(lambent, ID)), {
    status: 'cancelled',
    outcome: 'cancelled',
  })
  await lambent.clock.advance(120_000)
  assert.is(lambent.started.length, 0)
})

api('a failed event is replayed under a new id, with its payload or with another', async () => {
  await using lambent = await startLambentApi()
  await lambent.invoker.accept(event(ID))
  const replay = async (body?: string) =>
    await lambent.request(`/runs/${ID}/replay`, { method: 'POST', ...(body === undefined ? {} : { body }) })

  const early = await replay()
  await failForGood(lambent)
  const answer = await replay()
  const other = await replay('{"n":2}')
  const nonsense = await replay('{')

  assert.equal([early.status, answer.status, other.status, nonsense.status], [409, 202, 202, 400])
  const { runId, replayOf } = (await answer.json()) as { runId: string; replayOf: string }
  assert.is(replayOf, ID)
  assert.is.not(runId, ID)
  assert.equal(
    lambent.started.map(({ request }) => [request.functionName, String(request.payload)]),
    [
      ['orders', '{"n":1}'],
      ['orders', '{"n":2}'],
    ],
  )
})

api('a run whose payload is not kept is replayed with a given one only', async () => {
  await using lambent = await startLambentApi()
  const stream = lambent.journal.open(STREAM)
  lambent.journal.finished(stream, runOf({ runId: ID }), { startWritten: false, recorded: false })
  await lambent.journal.flush()

  const bare = await lambent.request(`/runs/${ID}/replay`, { method: 'POST' })
  const given = await lambent.request(`/runs/${ID}/replay`, { method: 'POST', body: '[]' })

  const { error } = (await bare.json()) as { error: { code: string; hint: string } }
  assert.equal([bare.status, error.code, given.status], [409, 'Conflict', 202])
  assert.match(error.hint, '--payload')
})

api.run()
