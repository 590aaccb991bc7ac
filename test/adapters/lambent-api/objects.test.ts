import { writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Caller } from '../../../adapters/auth/caller.ts'
import { packValue } from '../../../runtime/environments/call-payload.ts'
import { layOut } from '../../../runtime/objects/location.ts'
import { OBJECT_FLAG } from '../../../runtime/objects/object-table.ts'
import { encode } from '../../../runtime/sdk/codec/encode.ts'
import { until } from '../../support/until.ts'
import { startLambentApi, type LambentApiHarness } from './harness.ts'

const objects = suite('objects over HTTP')

const put = (body: string | Uint8Array, type = 'application/json'): RequestInit => ({
  method: 'PUT',
  body: body as string, // the DOM's types know no Uint8Array here
  headers: { 'content-type': type },
})
const BYTES = 'application/octet-stream'

/** Bytes of no regular pattern. */
const bytesOf = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7) % 251))

/** An object with a large value as a process would have written it. */
function place({ parts, table }: LambentApiHarness, id: string, value: unknown): void {
  const { segments, outsideRefs } = parts.engine
  const { head, parts: rest } = encode(value, { outOfBandBytes: 1 })
  const layout = layOut([head, ...rest].map((part) => part.length))
  const { path, place: where } = segments.draftPath(1000)
  const file = Buffer.alloc(Math.max(...layout.map(([offset, bytes]) => offset + bytes)))
  ;[head, ...rest].forEach((part, index) => file.set(part, layout[index]?.[0] ?? 0))
  writeFileSync(path, file)
  table.resolve(table.create(id, outsideRefs.holder), OBJECT_FLAG, segments.adoptDraft(path, where, layout))
}

objects('JSON comes back as JSON, and is gone when it is deleted', async () => {
  await using harness = await startLambentApi()

  const stored = await harness.request('/objects/mine', put('{"a":[1,null,"ü"]}'))

  assert.is(stored.status, 201)
  assert.is(((await stored.json()) as { objectId: string }).objectId, 'mine')
  const got = await harness.request('/objects/mine')
  assert.is(got.headers.get('content-type'), 'application/json')
  assert.equal(await got.json(), { a: [1, null, 'ü'] })
  assert.is((await harness.request('/objects/mine', { method: 'DELETE' })).status, 200)
  assert.is((await harness.request('/objects/mine')).status, 404)
  assert.is(harness.table.size, 0)
})

objects('bytes come back as bytes, small ones and large ones', async () => {
  await using harness = await startLambentApi()
  for (const length of [0, 1, 1000, 300_000, 3_000_000]) {
    const bytes = bytesOf(length)

    const stored = await harness.request(`/objects/b${length}`, put(bytes, BYTES))

    assert.is(stored.status, 201, `${length}`)
    const got = await harness.request(`/objects/b${length}`)
    assert.is(got.headers.get('content-type'), BYTES)
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(bytes), `${length}`)
  }
  assert.ok(harness.table.valueBytes < 10_000, 'large ones lie in the engine')
  for (const length of [0, 1, 1000, 300_000, 3_000_000])
    await harness.request(`/objects/b${length}`, { method: 'DELETE' })
  await until('they are freed', () => harness.parts.engine.segments.usage.memory.usedBytes === 0)
})

objects('more bytes than there is room for are refused, and leave nothing', async () => {
  await using harness = await startLambentApi()

  const refused = await harness.request('/objects/big', put(bytesOf(9_000_000), BYTES))

  assert.is(refused.status, 429)
  const { error } = (await refused.json()) as { error: { code: string; hint: string } }
  assert.is(error.code, 'ObjectStoreFull')
  assert.match(error.hint, 'LAMBENT_OBJECT_STORE_MB')
  assert.is(harness.table.size, 0)
  assert.is(harness.parts.engine.segments.usage.count, 0)
})

objects('a name is taken once, and those of processes never', async () => {
  await using harness = await startLambentApi()
  await harness.request('/objects/mine', put('1'))

  const again = await harness.request('/objects/mine', put('2'))
  const made = await harness.request('/objects/o1a-7', put('2'))

  assert.is(again.status, 409)
  assert.is(made.status, 400)
  assert.is(await (await harness.request('/objects/mine')).text(), '1')
})

objects('what is not JSON is refused', async () => {
  await using harness = await startLambentApi()

  const refused = await harness.request('/objects/mine', put('{'))

  assert.is(refused.status, 400)
  assert.is(harness.table.size, 0)
})

objects('a pending one says so, and is waited for', async () => {
  await using harness = await startLambentApi()
  const entry = harness.table.create('o1-1', harness.parts.engine.outsideRefs.holder)

  const pending = await harness.request('/objects/o1-1')
  const waiting = harness.request('/objects/o1-1?wait=10s')
  await new Promise((resolve) => setImmediate(resolve))
  harness.table.resolve(entry, 0, packValue([], encode({ done: true }).head))

  assert.is(pending.status, 202)
  assert.equal(await pending.json(), { objectId: 'o1-1', state: 'pending' })
  assert.equal(await (await waiting).json(), { done: true })
})

objects(
  'a large value that is JSON is JSON, a typed array is its bytes, and what is neither says where',
  async () => {
    await using harness = await startLambentApi()
    place(harness, 'floats', Float32Array.of(1, 2, 3))
    place(harness, 'mixed', { rows: [{ table: new Float32Array(4) }] })

    const floats = await harness.request('/objects/floats')
    const mixed = await harness.request('/objects/mixed')

    assert.is(floats.headers.get('content-type'), BYTES)
    assert.equal([...new Float32Array(await floats.arrayBuffer())], [1, 2, 3])
    assert.is(mixed.status, 422)
    const { error } = (await mixed.json()) as { error: { code: string; path: string } }
    assert.equal([error.code, error.path], ['NotJson', 'rows[0].table'])
    assert.is(harness.parts.engine.segments.usage.count, 2)
  },
)

objects('a value that nobody deletes is gone an hour later', async () => {
  await using harness = await startLambentApi()
  await harness.request('/objects/large', put(bytesOf(300_000), BYTES))

  await harness.clock.advance(3_500_000)
  assert.is((await (await harness.request('/objects/large')).arrayBuffer()).byteLength, 300_000)
  await harness.clock.advance(200_000)

  assert.is((await harness.request('/objects/large')).status, 404)
  await until('it is freed', () => harness.parts.engine.segments.usage.memory.usedBytes === 0)
})

objects('an object is there for keys of its own account only, and for administrators', async () => {
  await using harness = await startLambentApi()
  const keyOf = (account: string, action: 'invoke' | 'admin'): Caller => ({
    principal: {
      kind: 'key',
      keyId: 'AKIA0',
      account,
      name: 'any',
      organization: null,
      grants: [{ action, functions: undefined }],
    },
    scope: { account, region: 'us-east-1' },
  })
  const own = keyOf('111111111111', 'invoke')
  const other = keyOf('222222222222', 'invoke')
  await harness.request('/objects/mine', put('1'), own)
  const begun = await harness.request('/tasks/orders/count', { method: 'POST', body: '[]' }, own)
  const { objectId } = (await begun.json()) as { objectId: string }
  const statusFor = async (caller: Caller, path: string, method = 'GET'): Promise<number> =>
    (await harness.request(path, { method }, caller)).status

  for (const id of ['mine', objectId]) {
    assert.is(await statusFor(other, `/objects/${id}`), 404)
    assert.is(await statusFor(other, `/objects/${id}`, 'DELETE'), 404)
    assert.is(await statusFor(other, `/objects/${id}/cancel`, 'POST'), 404)
  }
  assert.is(await statusFor(own, '/objects/mine'), 200)
  assert.is(await statusFor(own, `/objects/${objectId}`), 202)
  assert.is(await statusFor(keyOf('222222222222', 'admin'), '/objects/mine'), 200)
  assert.is(await statusFor(own, '/objects/mine', 'DELETE'), 200)
})

objects.run()
