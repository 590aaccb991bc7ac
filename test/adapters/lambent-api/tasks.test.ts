import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packError, packValue, unpackLed } from '../../../runtime/environments/call-payload.ts'
import { encodeFailure } from '../../../runtime/invoke/failure-codec.ts'
import { decode } from '../../../runtime/sdk/codec/decode.ts'
import { encode } from '../../../runtime/sdk/codec/encode.ts'
import { startLambentApi, type LambentApiHarness } from './harness.ts'

const tasks = suite('tasks over HTTP')

const post = (body: string): RequestInit => ({ method: 'POST', body })
const packed = (value: unknown): Buffer => packValue([], encode(value).head)

/** Begins a task, gives its ref what `settle` says, and answers the response. */
async function outcome(
  harness: LambentApiHarness,
  settle: (table: LambentApiHarness['table'], entry: LambentApiHarness['submitted'][0]['entry']) => void,
): Promise<Response> {
  const answer = harness.request('/tasks/orders/count?wait=10s', post('["a"]'))
  while (harness.submitted.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const [task] = harness.submitted
  if (task !== undefined) settle(harness.table, task.entry)
  return answer
}

tasks('without waiting the id of the value is the answer', async () => {
  await using harness = await startLambentApi()

  const response = await harness.request('/tasks/orders/count', post('["a", {"b": [1]}]'))

  assert.is(response.status, 202)
  const { objectId } = (await response.json()) as { objectId: string }
  const [task] = harness.submitted
  assert.is(task?.entry.id, objectId)
  assert.is(task?.request.functionName, 'orders')
  assert.is(task?.request.exportName, 'count')
  assert.equal(decode(unpackLed(task?.request.args ?? Buffer.alloc(0)).encoded), ['a', { b: [1] }])
})

tasks('with wait the bare value is the answer', async () => {
  await using harness = await startLambentApi()

  const response = await outcome(harness, (table, entry) => table.resolve(entry, 0, packed({ total: 3 })))

  assert.is(response.status, 200)
  assert.is(await response.text(), '{"total":3}')
})

tasks('undefined is null', async () => {
  await using harness = await startLambentApi()

  const response = await outcome(harness, (table, entry) => table.resolve(entry, 0, packed(undefined)))

  assert.is(await response.text(), 'null')
})

tasks('a value that JSON does not have is told with its place', async () => {
  await using harness = await startLambentApi()

  const response = await outcome(harness, (table, entry) =>
    table.resolve(entry, 0, packed([{ counts: new Map([['a', 1]]) }])),
  )

  assert.is(response.status, 422)
  const { error } = (await response.json()) as { error: { message: string; path: string } }
  assert.is(error.path, '[0].counts')
  assert.match(error.message, 'a Map')
})

tasks('what is not there in time is asked for again by its id', async () => {
  await using harness = await startLambentApi()
  const answer = harness.request('/tasks/orders/count?wait=2s', post('[]'))
  while (harness.submitted.length === 0) await new Promise((resolve) => setImmediate(resolve))

  await harness.clock.advance(2000)
  const response = await answer

  assert.is(response.status, 504)
  const body = (await response.json()) as { objectId: string; error: { code: string } }
  assert.is(body.objectId, harness.submitted[0]?.entry.id)
  assert.is(body.error.code, 'Timeout')
})

tasks('an error comes with its type and stack', async () => {
  await using harness = await startLambentApi()
  const thrown = new RangeError('too many')

  const response = await outcome(harness, (table, entry) =>
    table.reject(entry, packError('RangeError', encode(thrown).head)),
  )

  assert.is(response.status, 500)
  const { error } = (await response.json()) as { error: Record<string, string> }
  assert.is(error['code'], 'FunctionError')
  assert.is(error['type'], 'RangeError')
  assert.is(error['message'], 'too many')
  assert.match(error['stack'] ?? '', 'RangeError: too many')
})

for (const [name, status] of [
  ['Infeasible', 400],
  ['LimitReached', 429],
  ['TaskCrashed', 502],
  ['TaskCancelled', 409],
  ['TimeoutError', 504],
] as const)
  tasks(`${name} has status ${status}`, async () => {
    await using harness = await startLambentApi()

    const response = await outcome(harness, (table, entry) =>
      table.reject(entry, encodeFailure({ name, message: 'why' })),
    )

    assert.is(response.status, status)
    assert.match(await response.text(), '"message":"why"')
  })

tasks('a body that is no array is refused', async () => {
  await using harness = await startLambentApi()

  assert.is((await harness.request('/tasks/orders/count', post('{"a":1}'))).status, 400)
  assert.is((await harness.request('/tasks/orders/count', post('[1'))).status, 400)
  assert.is((await harness.request('/tasks/orders/count?wait=soon', post('[]'))).status, 400)
})

tasks('a result is kept for an hour', async () => {
  await using harness = await startLambentApi()
  await outcome(harness, (table, entry) => table.resolve(entry, 0, packed(1)))
  assert.is(harness.table.size, 1)

  await harness.clock.advance(3_600_000 + 120_000)

  assert.is(harness.table.size, 0)
})

tasks('cancel reaches what makes the value', async () => {
  await using harness = await startLambentApi()
  await harness.request('/tasks/orders/count', post('[]'))
  const entry = harness.submitted[0]?.entry
  const cancelled: unknown[] = []
  if (entry !== undefined) entry.producer = { cancel: (how: unknown) => cancelled.push(how) }

  const response = await harness.request(`/objects/${entry?.id}/cancel?force=1`, post(''))
  const unknown = await harness.request('/objects/nothing/cancel', post(''))

  assert.is(response.status, 200)
  assert.equal(cancelled, [{ force: true, recursive: true }])
  assert.is(unknown.status, 404)
})

tasks.run()
