import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Environment } from '../../runtime/environments/environment.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import { serveGroups } from '../../runtime/invoke/group-calls.ts'
import type { Request, Serve } from '../../runtime/invoke/requests.ts'
import { taskShape } from '../../runtime/invoke/task-shape.ts'
import { ObjectTable } from '../../runtime/objects/object-table.ts'
import { createLog } from '../../runtime/log.ts'
import { GroupDesk } from '../../runtime/scheduler/group-desk.ts'
import { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { turn, version } from '../support/scheduler-world.ts'

const calls = suite('group calls')

/** Four processors, and a process with two invocations in it that asks for groups. */
async function world() {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const launcher = { launch: () => Promise.reject(new Error('nothing is launched here')) } as never
  const cluster = new LocalCluster({ resources: { cpu: 4 }, nodes: 1, launcher })
  const host = { evict: () => {}, makeRoom: () => {}, onChange: () => {} }
  const desk = new GroupDesk({ groups: new PlacementGroups({ cluster, clock, host }), store, clock, log })
  let serve: Serve = () => {}
  serveGroups({
    desk,
    objects: new ObjectTable(),
    requests: { on: (_operation, one) => void (serve = one) },
    encode: ({ name, message }) => Buffer.from(`${name}: ${message}`),
  })
  const answers = new Map<number, string>()
  const invocations = [{ id: 1 }, { id: 2 }] as { id: number; holdings?: { end(): void } }[]
  const environment = {
    version: version('f'),
    inFlight: invocations,
    connection: {
      answer: (id: number, flags: number, body: Buffer) =>
        void answers.set(id, `${(flags & FLAG.error) === 0 ? '' : 'error '}${body.toString('utf8')}`),
    },
  } as unknown as Environment // what requests about groups look at
  let last = 0
  const ask = async (run: number, verb: string, body: object): Promise<string> => {
    last += 1
    const fields = [String(run), verb, JSON.stringify(body)]
    serve({ environment, id: last, flags: 0, fields, payload: Buffer.alloc(0) } satisfies Request)
    const id = last
    for (let turns = 0; turns < 100 && !answers.has(id); turns++) await turn()
    return answers.get(id) ?? 'no answer'
  }
  const names = () => desk.list(version('f').scope).map(({ name, state }) => `${name} ${state}`)
  return { ask, names, invocations, desk, clock, [Symbol.asyncDispose]: () => store.close() }
}

calls('a group is made, waited for, looked at and removed', async () => {
  await using at = await world()

  const made = JSON.parse(await at.ask(1, 'create', { name: 'pg-mine', bundles: [{ cpu: 1 }] })) as object
  const ready = JSON.parse(await at.ask(1, 'ready', { name: 'pg-mine' })) as { bundles: { node: string }[] }
  const removed = JSON.parse(await at.ask(1, 'remove', { name: 'pg-mine' })) as { state: string }
  const after = JSON.parse(await at.ask(1, 'state', { name: 'pg-mine' })) as { state: string }

  assert.equal(made, {
    name: 'pg-mine',
    state: 'ready',
    strategy: 'PACK',
    bundles: [{ cpu: 1, gpu: 0, node: 'local' }],
  })
  assert.is(ready.bundles[0]?.node, 'local')
  assert.equal([removed.state, after.state, at.names()], ['removed', 'removed', []])
})

calls('a group without a name ends with the invocation that made it, one with a name does not', async () => {
  await using at = await world()
  await at.ask(1, 'create', { name: 'pg-one', bundles: [{ cpu: 1 }] })
  await at.ask(2, 'create', { name: 'pg-two', bundles: [{ cpu: 1 }] })
  await at.ask(1, 'create', { name: 'kept', bundles: [{ cpu: 1 }] })

  at.invocations[0]?.holdings?.end()

  assert.equal(at.names(), ['kept ready', 'pg-two ready'])
  assert.match(
    await at.ask(1, 'create', { name: 'pg-late', bundles: [{ cpu: 1 }] }),
    'error Error: What asks',
  )
})

calls('refusals come back as errors of the SDK with what to do', async () => {
  await using at = await world()

  assert.match(
    await at.ask(1, 'create', { bundles: [{ cpu: 5 }] }),
    /^error Infeasible: .*largest node has 4/,
  )
  assert.match(await at.ask(1, 'create', { bundles: [] }), /^error TypeError: bundles takes 1 to/)
  assert.match(await at.ask(1, 'ready', { name: 'nobody' }), /^error Infeasible: There is no placement group/)
  await at.ask(1, 'create', { name: 'a', bundles: [{ cpu: 4 }] })
  await at.ask(1, 'create', { name: 'b', bundles: [{ cpu: 4 }] })
  const late = at.ask(1, 'ready', { name: 'b', timeoutMs: 10 })
  await at.clock.advance(11)
  assert.match(await late, /^error TimeoutError: .*placement group a, bundle 0 \(cpu 4 on local\)/)
})

calls('what waits in a process that ends is not answered any more, and waits no longer', async () => {
  await using at = await world()
  await at.ask(1, 'create', { name: 'a', bundles: [{ cpu: 4 }] })
  await at.ask(1, 'create', { name: 'b', bundles: [{ cpu: 4 }] })
  const waiting = at.ask(1, 'ready', { name: 'b' })
  await turn()

  at.invocations[0]?.holdings?.end()

  assert.match(await waiting, 'What waits has ended')
})

calls('tasks of a member lease in its group, unless they name another one or none', () => {
  const place = (options: Record<string, unknown>, within?: string) =>
    taskShape(version('f'), 'work', options, within).version.execution.placementGroup

  assert.equal(place({}, 'gang'), { name: 'gang' })
  assert.equal(place({ placementGroup: 'other', bundle: 1 }, 'gang'), { name: 'other', bundle: 1 })
  assert.is(place({ placementGroup: null }, 'gang'), undefined)
  assert.is(place({}), undefined)
})

calls.run()
