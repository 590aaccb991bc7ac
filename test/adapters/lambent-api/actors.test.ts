import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { createLambentApi } from '../../../adapters/lambent-api/api.ts'
import { packJson } from '../../../adapters/lambent-api/values.ts'
import { crashed, mailboxFull, quarantined, timedOut } from '../../../runtime/actors/failures.ts'
import type { ActorView, CallResult, OutsideCall } from '../../../runtime/actors/actors.ts'
import { packError, packValue, unpackLed } from '../../../runtime/environments/call-payload.ts'
import { EngineError } from '../../../runtime/errors.ts'
import { decode } from '../../../runtime/sdk/codec/decode.ts'
import { encode } from '../../../runtime/sdk/codec/encode.ts'
import type { ActorAddress } from '../../../runtime/store/actors.ts'
import { SCOPE, startLambentApi } from './harness.ts'

const http = suite('actors over HTTP')

const VIEW: ActorView = {
  ...{ function: 'shop', class: 'Cart', key: 'a/b', state: 'asleep', mailbox: 0, running: 0 },
  ...{ storageBytes: 12, alarms: 1, nextAlarmAtMs: 5, createdAtMs: 1, lastActiveAtMs: 2, lastError: null },
}
const ADDRESS: ActorAddress = { scope: SCOPE, functionName: 'shop', className: 'Cart', key: 'a/b' }

/** The API over actors that answer with what `answer` gives. */
async function serve(answer: (call: OutsideCall) => CallResult = () => ({ flags: 0, body: packJson(null) })) {
  const harness = await startLambentApi()
  const calls: OutsideCall[] = []
  const ended: [string, ActorAddress][] = []
  const asked: unknown[] = []
  const actors = {
    call: async (call: OutsideCall) => {
      calls.push(call)
      return await Promise.resolve(answer(call))
    },
    list: (query: unknown, limit: number) => {
      asked.push({ query, limit })
      return { actors: [VIEW], nextId: 7 }
    },
    get: (address: ActorAddress) => {
      asked.push(address)
      return { ...VIEW, alarmList: [] }
    },
    kill: (address: ActorAddress) => void ended.push(['kill', address]),
    destroy: async (address: ActorAddress) => {
      ended.push(['destroy', address])
      await Promise.resolve()
    },
  }
  const app = createLambentApi({ ...harness.parts, engine: { ...harness.parts.engine, actors } })
  const request = async (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
    await app.request(`http://localhost:4700/lambent/v1${path}`, { method, ...init })
  return { calls, ended, asked, request, [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose]() }
}

const argumentsOf = ({ args }: OutsideCall): unknown => decode(unpackLed(args).encoded)

http('a method gets its arguments and the answer is the bare result', async () => {
  await using api = await serve(() => ({ flags: 0, body: packJson({ total: 3 }) }))

  const response = await api.request('POST', '/actors/shop/Cart/a%2Fb/add?timeout=2s', {
    body: '[1, {"x": null}]',
    headers: { 'idempotency-key': 'order-1' },
  })

  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { total: 3 })
  const [call] = api.calls
  assert.deepEqual(call?.address, ADDRESS)
  assert.equal(call?.method, 'add')
  assert.equal(call?.timeoutMs, 2000)
  assert.equal(call?.idempotencyKey, 'order-1')
  assert.deepEqual(call === undefined ? undefined : argumentsOf(call), [1, { x: null }])
})

http('no body is no arguments, and nothing is null', async () => {
  await using api = await serve(() => ({ flags: 0, body: packValue([], encode(undefined).head) }))

  const response = await api.request('POST', '/actors/shop/Cart/k/clear')

  assert.equal(await response.text(), 'null')
  assert.deepEqual(api.calls.map(argumentsOf), [[]])
  assert.equal(api.calls[0]?.timeoutMs, undefined)
})

http('what a method throws is a FunctionError with its type', async () => {
  const error = Object.assign(new RangeError('too many'), { stack: 'RangeError: too many\n    at add' })
  await using api = await serve(() => ({ flags: 1, body: packError('RangeError', encode(error).head) }))

  const response = await api.request('POST', '/actors/shop/Cart/k/add')

  assert.equal(response.status, 500)
  const { error: told } = (await response.json()) as { error: Record<string, string> }
  assert.deepEqual([told['code'], told['type'], told['message']], ['FunctionError', 'RangeError', 'too many'])
  assert.match(told['stack'] ?? '', /at add/)
})

http('a result that is no JSON is refused with the place', async () => {
  const body = packValue([], encode({ items: [new Map()] }).head)
  await using api = await serve(() => ({ flags: 0, body }))

  const response = await api.request('POST', '/actors/shop/Cart/k/all')

  assert.equal(response.status, 422)
  assert.match(await response.text(), /items\[0\]/)
})

http('refusals have their own statuses and codes', async () => {
  const expected: [EngineError, number, string][] = [
    [crashed(ADDRESS, 'signal SIGKILL'), 502, 'ActorCrashed'],
    [quarantined(ADDRESS, 'it ended 10 times'), 502, 'ActorQuarantined'],
    [mailboxFull(ADDRESS, 1000), 429, 'MailboxFull'],
    [timedOut(ADDRESS, 'add', 50), 504, 'Timeout'],
    [new EngineError('infeasible', 'No node has 9 GPUs.'), 400, 'Infeasible'],
    [new EngineError('not-found', 'There is no such class.'), 404, 'NotFound'],
    [new EngineError('unavailable', 'The engine is stopping.'), 503, 'Unavailable'],
  ]
  for (const [error, status, code] of expected) {
    await using api = await serve(() => {
      throw error
    })

    const response = await api.request('POST', '/actors/shop/Cart/k/add')

    assert.equal(response.status, status)
    const { error: told } = (await response.json()) as { error: Record<string, string> }
    assert.equal(told['code'], code)
    assert.equal(told['message'], error.message)
  }
})

http('bodies and times that are none are refused before anything is called', async () => {
  await using api = await serve()

  const refused = await Promise.all([
    api.request('POST', '/actors/shop/Cart/k/add', { body: '{"a":1}' }),
    api.request('POST', '/actors/shop/Cart/k/add', { body: '[1' }),
    api.request('POST', '/actors/shop/Cart/k/add?timeout=soon'),
  ])

  assert.deepEqual(
    refused.map(({ status }) => status),
    [400, 400, 400],
  )
  assert.equal(api.calls.length, 0)
})

http('actors are listed, shown, killed and destroyed', async () => {
  await using api = await serve()

  const list = await api.request('GET', '/actors?function=shop&class=Cart&limit=5&after=3')
  const one = await api.request('GET', '/actors/shop/Cart/a%2Fb')
  const killed = await api.request('POST', '/actors/shop/Cart/a%2Fb/kill')
  const destroyed = await api.request('DELETE', '/actors/shop/Cart/a%2Fb')

  assert.deepEqual(await list.json(), { actors: [VIEW], next: 7 })
  assert.deepEqual(await one.json(), { ...VIEW, alarmList: [] })
  assert.deepEqual([killed.status, destroyed.status], [204, 204])
  const query = { scope: SCOPE, functionName: 'shop', className: 'Cart', afterId: 3 }
  assert.deepEqual(api.asked, [{ query, limit: 5 }, ADDRESS])
  assert.deepEqual(api.ended, [
    ['kill', ADDRESS],
    ['destroy', ADDRESS],
  ])
})

http.run()
