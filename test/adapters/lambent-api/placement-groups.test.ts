import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambentApi } from './harness.ts'

const groups = suite('placement groups over HTTP')

const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })

groups('one is made, shown, listed and ended', async () => {
  await using lambent = await startLambentApi()

  const made = await lambent.request(
    '/placement-groups',
    post({ name: 'gang', bundles: [{ cpu: 1, gpu: 0.5 }, { cpu: 1 }], strategy: 'SPREAD' }),
  )
  const shown = {
    name: 'gang',
    state: 'ready',
    strategy: 'SPREAD',
    bundles: [
      { cpu: 1, gpu: 0.5, node: 'local', gpuIds: [0] },
      { cpu: 1, gpu: 0, node: 'local' },
    ],
  }

  assert.is(made.status, 201)
  assert.equal(await made.json(), shown)
  assert.equal(await lambent.json('/placement-groups/gang'), shown)
  assert.equal(await lambent.json('/placement-groups'), { placementGroups: [shown] })
  assert.equal(await lambent.json('/placement-groups?region=eu-west-1'), { placementGroups: [] })
  const ended = await lambent.request('/placement-groups/gang', { method: 'DELETE' })
  assert.is(((await ended.json()) as { state: string }).state, 'removed')
  assert.is((await lambent.request('/placement-groups/gang')).status, 404)
})

groups('one that has to wait is pending, with who holds what it waits for', async () => {
  await using lambent = await startLambentApi()
  await lambent.request('/placement-groups', post({ name: 'first', bundles: [{ cpu: 2 }] }))

  const made = await lambent.request('/placement-groups', post({ name: 'second', bundles: [{ cpu: 1 }] }))
  const second = (await made.json()) as { state: string; reason: string }

  assert.equal([made.status, second.state], [201, 'pending'])
  assert.match(second.reason, /placement group first, bundle 0 \(cpu 2 on local\)/)
  await lambent.request('/placement-groups/first', { method: 'DELETE' })
  assert.is(((await lambent.json('/placement-groups/second')) as { state: string }).state, 'ready')
})

groups('refusals say what to do', async () => {
  await using lambent = await startLambentApi()
  const refusal = async (body: unknown) => {
    const answer = await lambent.request('/placement-groups', post(body))
    const { error } = (await answer.json()) as { error: { code: string; message: string; hint?: string } }
    return `${answer.status} ${error.code}: ${error.message} ${error.hint ?? ''}`
  }

  assert.match(
    await refusal({ bundles: [{ cpu: 3 }] }),
    /^400 Infeasible: .*the largest node has 2.*--resources/,
  )
  assert.match(await refusal({ bundles: [] }), /^400 Invalid: bundles takes 1 to 1000/)
  assert.match(await refusal([]), /^400 Invalid/)
  await lambent.request('/placement-groups', post({ name: 'gang', bundles: [{ cpu: 1 }] }))
  assert.match(await refusal({ name: 'gang', bundles: [{ cpu: 1 }] }), /^409 AlreadyExists/)
  assert.is((await lambent.request('/placement-groups/nobody', { method: 'DELETE' })).status, 404)
})

groups.run()
