// time limit: 120 s
import { mkdirSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../support/cli.ts'
import { startLambent, type RunningLambent } from '../support/lambent.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

/** Placement groups over real processes, on three virtual nodes of two processors each. */
const groups = suite('placement groups on three nodes')

const MACHINE = ['--nodes', '3', '--resources', '{"cpu":6,"memoryMb":64000}']
const HOLD = `export const handler = async ({ forever }) => {
  if (forever) await new Promise((end) => setTimeout(end, 60_000))
  return process.pid
}
`

interface Group {
  readonly name: string
  readonly state: string
  readonly reason?: string
  readonly bundles: readonly { readonly node?: string }[]
}

const api = async (lambent: RunningLambent, path: string, method = 'GET', body?: unknown) => {
  const answer = await fetch(`${lambent.url}/lambent/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as unknown }
}
const groupOf = async (lambent: RunningLambent, name: string): Promise<Group> =>
  (await api(lambent, `placement-groups/${name}`)).body as Group
const freeCpu = async (lambent: RunningLambent): Promise<number> => {
  const { nodes } = (await api(lambent, 'nodes')).body as { nodes: { available: { cpu: number } }[] }
  return nodes.reduce((sum, { available }) => sum + available.cpu, 0)
}
const invoke = async (lambent: RunningLambent, name: string, payload: unknown): Promise<Response> =>
  await fetch(`${lambent.url}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify(payload),
  })
const placeOf = async (lambent: RunningLambent, name: string) => {
  const { environments } = (await api(lambent, 'environments')).body as {
    environments: { functionName?: string; node: string; inFlight: number; pid: number }[]
  }
  return environments.find(({ functionName }) => functionName === name)
}
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

groups(
  'a project’s groups are made before its functions, which run inside; ending one ends them',
  async () => {
    using folder = temporaryDirectory()
    mkdirSync(folder.join('p'))
    writeFileSync(folder.join('p/hold.mjs'), HOLD)
    writeFileSync(
      folder.join('p/lambent.config.mjs'),
      `export default {
      placementGroups: { gang: { strategy: 'STRICT_SPREAD', bundles: [{ cpu: 2 }, { cpu: 1 }] } },
      functions: {
        one: { entry: 'hold.mjs', cpu: 2, placementGroup: 'gang/0' },
        two: { entry: 'hold.mjs', cpu: 1, placementGroup: 'gang' },
        free: { entry: 'hold.mjs', cpu: 1 },
      },
    }`,
    )
    await using lambent = await startLambent({ argv: [...MACHINE, '--deploy', folder.join('p')] })
    const gang = await groupOf(lambent, 'gang')
    assert.is(gang.state, 'ready')
    assert.is(new Set(gang.bundles.map(({ node }) => node)).size, 2)
    assert.is(await freeCpu(lambent), 3)

    const held = invoke(lambent, 'one', { forever: true })
    await until('it runs', async () => (await placeOf(lambent, 'one'))?.inFlight === 1)
    const { pid = 0, node } = (await placeOf(lambent, 'one')) ?? {}
    assert.is(node, gang.bundles[0]?.node)
    assert.is(await freeCpu(lambent), 3)

    const removed = await api(lambent, 'placement-groups/gang', 'DELETE')
    assert.is((removed.body as Group).state, 'removed')
    assert.match(await (await held).text(), /Runtime\.ExitError|exited/)
    await until('all is given back', async () => (await freeCpu(lambent)) === 6)
    assert.is(isAlive(pid), false)
    const refused = await invoke(lambent, 'one', {})
    assert.match(await refused.text(), /no placement group \\?"gang/)
    assert.is((await invoke(lambent, 'free', {})).status, 200)
  },
)

const GANG = `import { get, placementGroup, task } from 'lambent'
export const whereAmI = task(async () => process.pid, { cpu: 1 })
export const handler = async ({ many = 0 }) => {
  const gang = placementGroup({ bundles: [{ cpu: 1 }, { cpu: 1 }], strategy: 'STRICT_SPREAD' })
  await gang.ready({ timeout: '10s' })
  const inside = whereAmI.options({ placementGroup: gang })
  const pids = await get([inside.remote(), inside.remote()])
  const before = await gang.state()
  const started = performance.now()
  let left = many
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (left-- > 0) {
      const one = placementGroup({ bundles: [{ cpu: 0.01 }] })
      await one.ready()
      await one.remove()
    }
  }))
  return { name: gang.name, pids, before, perSecond: many / ((performance.now() - started) / 1000) }
}
`

groups('code makes groups, runs tasks in them, and they end with it', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('gang'))
  writeFileSync(folder.join('gang/index.ts'), GANG)
  await using lambent = await startLambent({ argv: [...MACHINE, '--deploy', folder.join('gang')] })

  const answer = (await (await invoke(lambent, 'gang', { many: 2000 })).json()) as {
    name: string
    pids: number[]
    before: Group
    perSecond: number
  }

  assert.is(answer.before?.state, 'ready')
  assert.is(new Set(answer.before.bundles.map(({ node }) => node)).size, 2)
  assert.is(answer.pids.length, 2)
  process.stdout.write(
    `checked: ${Math.round(answer.perSecond)} groups made, waited for and removed a second\n`,
  )
  assert.ok(answer.perSecond > 500)
  await until('its tasks are gone', async () => (await freeCpu(lambent)) === 6)
  assert.equal((await api(lambent, 'placement-groups')).body, { placementGroups: [] })
})

groups('a named group is there after kill -9 of the engine; one without a name is not', async () => {
  using folder = temporaryDirectory()
  {
    await using first = await startLambent({ argv: MACHINE, data: folder.path })
    const kept = { name: 'kept', bundles: [{ cpu: 1 }, { cpu: 1 }, { cpu: 1 }], strategy: 'STRICT_SPREAD' }
    await api(first, 'placement-groups', 'POST', kept)
    await api(first, 'placement-groups', 'POST', { bundles: [{ cpu: 1 }] })
    await first.kill()
  }

  await using second = await startLambent({ argv: MACHINE, data: folder.path })

  const { placementGroups } = (await api(second, 'placement-groups')).body as { placementGroups: Group[] }
  assert.equal(
    placementGroups.map(({ name, state }) => `${name} ${state}`),
    ['kept ready'],
  )
  assert.is(new Set(placementGroups[0]?.bundles.map(({ node }) => node)).size, 3)
})

groups('a node that drains moves its bundle; the command line makes, lists and ends groups', async () => {
  await using lambent = await startLambent({ argv: MACHINE })
  const run = (...words: string[]) => runCli([...words, '--endpoint', lambent.url])

  const made = await run(
    'pg',
    'create',
    'gang',
    '-b',
    '2x cpu=1',
    '-s',
    'STRICT_SPREAD',
    '--wait',
    '10s',
    '--json',
  )
  assert.is(made.code, 0)
  const [first] = (JSON.parse(made.stdout) as Group).bundles
  await run('node', 'drain', first?.node ?? '')
  const moved = await groupOf(lambent, 'gang')
  assert.is(moved.state, 'ready')
  assert.not(moved.bundles.some(({ node }) => node === first?.node))

  const listed = await run('ls', 'pg')
  assert.match(listed.stdout, /gang\s+ready\s+STRICT_SPREAD\s+cpu 1 on local-\d, cpu 1 on local-\d/)
  const late = await run('pg', 'create', 'late', '--bundle', 'cpu=2', '-b', 'cpu=2', '--wait', '200ms')
  assert.is(late.code, 124)
  assert.match(late.stderr, /placement group gang, bundle \d/)
  const never = await run('pg', 'create', 'never', '-b', 'cpu=3')
  assert.match(never.stderr, 'the largest node has 2')
  assert.is((await run('pg', 'create', 'odd', '-b', 'cpu')).code, 2)
  assert.is((await run('pg', 'rm', 'gang')).code, 0)
  assert.is((await run('pg', 'rm', 'gang')).code, 3)
})

groups.run()
