// time limit: 120 s
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../support/cli.ts'
import { deploy, invoke, invokeUrl, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

/** GPUs that were declared or whose driver is a script, held by real processes: seen from outside. */
const gpus = suite('GPUs')

const CODE = `
  const { spawn } = require('node:child_process')
  exports.handler = async (event) => {
    const { CUDA_VISIBLE_DEVICES: cuda, NVIDIA_VISIBLE_DEVICES: nvidia, CUDA_DEVICE_ORDER: order } = process.env
    if (event.child) spawn('sleep', [event.child], { detached: true, stdio: 'ignore' }).unref()
    if (event.sleepMs) {
      const from = Date.now()
      await new Promise((resolve) => setTimeout(resolve, event.sleepMs))
      if (event.crash) process.exit(3)
      return { cuda, from, to: Date.now() }
    }
    return { cuda: cuda ?? null, nvidia: nvidia ?? null, order: order ?? null }
  }`

interface Gpu {
  readonly index: number
  readonly holders: readonly string[]
  readonly model?: string
  readonly withheld?: string
}
interface Node {
  readonly name: string
  readonly state: string
  readonly labels: Record<string, string>
  readonly capacity: Record<string, number>
  readonly available: Record<string, number>
  readonly gpus: readonly Gpu[]
}

const nodesOf = async ({ url }: RunningLambent): Promise<readonly Node[]> =>
  ((await (await fetch(`${url}/lambent/v1/nodes`)).json()) as { nodes: Node[] }).nodes
const holders = async (lambent: RunningLambent): Promise<string[]> =>
  (await nodesOf(lambent)).flatMap((node) => node.gpus.flatMap((gpu) => gpu.holders))
const code = await zipOf({ 'index.js': CODE })
const call = async (lambent: RunningLambent, name: string, event: object = {}) =>
  (await invoke(lambent.url, name, event)).body as Record<string, unknown>

gpus('holders see their GPU by its number on the machine, others see none', async () => {
  await using lambent = await startLambent({ argv: ['--resources', '{"cpu":4,"gpu":2}', '--nodes', '2'] })
  for (const name of ['one', 'two']) await deploy(lambent.url, name, code, { tags: { 'lambent:gpu': '1' } })
  await deploy(lambent.url, 'plain', code, { variables: { CUDA_VISIBLE_DEVICES: '0,1' } })

  const seen = [await call(lambent, 'one'), await call(lambent, 'two')]
  const plain = await call(lambent, 'plain')

  assert.equal(seen.map(({ cuda }) => cuda).toSorted(), ['0', '1'])
  assert.equal(plain, { cuda: '', nvidia: 'void', order: 'PCI_BUS_ID' })
  assert.equal((await holders(lambent)).toSorted(), ['function one:$LATEST', 'function two:$LATEST'])
})

gpus('four quarters share one GPU; the fifth waits and the fourth’s end makes room', async () => {
  await using lambent = await startLambent({ argv: ['--resources', '{"cpu":4,"gpu":1}'] })
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await deploy(lambent.url, name, code, { tags: { 'lambent:gpu': '0.25' } })

  const seen = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => call(lambent, name)))

  assert.equal(new Set(seen.map(({ cuda }) => cuda)), new Set(['0']))
  assert.is((await nodesOf(lambent))[0]?.available['gpu'], 0)
})

gpus('two functions that want the only GPU never overlap, crashes included', async () => {
  await using lambent = await startLambent({ argv: ['--resources', '{"cpu":4,"gpu":1}'] })
  for (const name of ['left', 'right'])
    await deploy(lambent.url, name, code, { tags: { 'lambent:gpu': '1' } })

  const spans = await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const crash = index % 5 === 4
      const answer = await call(lambent, index % 2 === 0 ? 'left' : 'right', { sleepMs: 100, crash })
      return crash ? undefined : { from: Number(answer.from), to: Number(answer.to) }
    }),
  )

  const ran = spans.filter((span) => span !== undefined).toSorted((left, right) => left.from - right.from)
  assert.ok(ran.length >= 12 && ran.every(({ to }) => to > 0), JSON.stringify(spans))
  for (const [index, span] of ran.entries()) {
    const next = ran[index + 1]
    assert.ok(next === undefined || next.from >= span.to, `${JSON.stringify(span)} ${JSON.stringify(next)}`)
  }
})

gpus('kill -9 of a holder frees its GPU within a second, and not before all of it is gone', async () => {
  await using lambent = await startLambent({ argv: ['--resources', '{"cpu":4,"gpu":1}'] })
  await deploy(lambent.url, 'holder', code, { tags: { 'lambent:gpu': '1' } })
  const argument = `1000.${process.pid}`
  await call(lambent, 'holder', { child: argument })
  const listed = (await (await fetch(`${lambent.url}/lambent/v1/environments`)).json()) as {
    environments: { id: string; functionName?: string }[]
  }
  const { id = '' } = listed.environments.find(({ functionName }) => functionName === 'holder') ?? {}
  const { node, child } = processesOf(id, argument)
  assert.ok(node > 0 && child > 0, `${node} ${child}`)

  process.kill(node, 'SIGKILL')
  const killedAt = performance.now()
  await until('the GPU is free', async () => (await holders(lambent)).length === 0)
  const freedMs = performance.now() - killedAt

  assert.equal([node, child].filter(isAlive), [], 'all of its processes are gone')
  assert.ok(freedMs < 1000, `${Math.round(freedMs)} ms`)
})

gpus('what can never be met is refused when it is made, with what is missing and who holds it', async () => {
  await using lambent = await startLambent({
    argv: ['--resources', '{"cpu":4,"gpu":"h100:1","gpuMemoryMb":80000}'],
  })
  await deploy(lambent.url, 'train', code, { tags: { 'lambent:gpu': 'a100,h100' } })
  await call(lambent, 'train')
  const refusal = async (tags: Record<string, string>): Promise<string> => {
    try {
      await deploy(lambent.url, 'other', code, { tags })
    } catch (error) {
      return String(error)
    }
    return 'nothing'
  }

  assert.match(
    await refusal({ 'lambent:gpu': '2' }),
    /400 .*gpu 2 \(the largest node has 1\)\. Held now: function train:\$LATEST \(gpu 1 on local\)/,
  )
  assert.match(await refusal({ 'lambent:gpu': 'a100:1' }), /gpu a100:1 \(there is 1 h100 with 80000 MB\)/)
  assert.match(await refusal({ 'lambent:gpu-memory-mb': '90000' }), /gpu with 90000 MB/)
  assert.match(await refusal({ 'lambent:label/disk': 'tape' }), /No node has the label disk=tape/)
  assert.is(await refusal({ 'lambent:gpu-memory-mb': '20000' }), 'nothing')
})

gpus('a call that waits too long for a GPU is told who holds it', async () => {
  await using lambent = await startLambent({
    argv: ['--resources', '{"cpu":4,"gpu":1}'],
    settings: { LAMBENT_MAX_WAIT_MS: '300' },
  })
  for (const name of ['holder', 'waits'])
    await deploy(lambent.url, name, code, { tags: { 'lambent:gpu': '1' } })
  const held = call(lambent, 'holder', { sleepMs: 3000 })
  await until('the GPU is held', async () => (await holders(lambent)).length > 0)

  const refused = await invoke(lambent.url, 'waits', {})

  assert.is(refused.status, 429)
  assert.match(
    JSON.stringify(refused.body),
    /Rate Exceeded\. Waits for .*gpu 1.*: held by function holder:\$LATEST \(gpu 1 on local\)/,
  )
  await held
})

gpus('nodes are changed while they run and stay so over a restart', async () => {
  using folder = temporaryDirectory()
  const argv = ['--resources', '{"cpu":4,"gpu":1}']
  const started = await startLambent({ argv, data: folder.join('data') })
  await deploy(started.url, 'pair', code, { tags: { 'lambent:gpu': '1' } })
  const cli = (words: string[], { url }: RunningLambent) => runCli([...words, '--endpoint', url])
  try {
    const set = await cli(['node', 'set', 'local', 'gpu=2', 'label/disk=nvme', '--json'], started)
    assert.is(set.code, 0, set.stderr)
    assert.is((JSON.parse(set.stdout) as Node).capacity['gpu'], 2)
    assert.match((await cli(['node', 'ls'], started)).stdout, /local +alive .*disk=nvme/)
    assert.is((await cli(['node', 'set', 'nowhere', 'gpu=2'], started)).code, 3)
    assert.is((await cli(['node', 'set', 'local', 'gpu'], started)).code, 2)
    assert.is((await cli(['node', 'drain', 'local'], started)).code, 0)
    assert.is((await nodesOf(started))[0]?.state, 'draining')
    const waits = fetch(invokeUrl(started.url, 'pair'), { method: 'POST', body: '{}' })
    await until('it waits with the reason', async () => {
      const health = (await (await fetch(`${started.url}/lambent/v1/health`)).json()) as {
        waiting: { reason: string }[]
      }
      return health.waiting.some(({ reason }) => reason.includes('node local is draining'))
    })
    await cli(['node', 'drain', 'local', '--off'], started)
    assert.is((await waits).status, 200)
  } finally {
    await started.kill()
  }

  await using again = await startLambent({ argv, data: folder.join('data') })
  const [node] = await nodesOf(again)

  assert.is(node?.capacity['gpu'], 2)
  assert.is(node?.labels['disk'], 'nvme')
  assert.is(node?.state, 'alive')
})

gpus('found GPUs are handed on when the driver shows no process on them', async () => {
  using folder = temporaryDirectory()
  const bin = folder.join('bin')
  const busy = folder.join('busy')
  mkdirSync(bin)
  writeFileSync(busy, '')
  writeFileSync(
    join(bin, 'nvidia-smi'),
    `#!/bin/sh
case "$1" in
  --query-gpu=*) echo "0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559, 00000000:3B:00.0" ;;
  --query-compute-apps=*) cat ${busy} ;;
esac\n`,
  )
  chmodSync(join(bin, 'nvidia-smi'), 0o755)
  await using lambent = await startLambent({
    settings: { PATH: `${bin}${delimiter}${process.env.PATH}` },
  })
  for (const name of ['first', 'second'])
    await deploy(lambent.url, name, code, { tags: { 'lambent:gpu': 'h100:1' } })
  assert.is((await call(lambent, 'first')).cuda, '0')
  assert.is((await nodesOf(lambent))[0]?.gpus[0]?.model, 'nvidia-h100-80gb-hbm3')

  writeFileSync(busy, 'GPU-aaaa, 4242\n')
  const second = call(lambent, 'second')
  await until('it is cordoned with the reason', async () => {
    const [node] = await nodesOf(lambent)
    return node?.gpus[0]?.withheld === 'cordoned: process 4242 still on it'
  })
  writeFileSync(busy, '')

  assert.is((await second).cuda, '0')
  assert.equal(await holders(lambent), ['function second:$LATEST'])
})

/** Pids of the processes that were started for an environment, and of what runs a program with `argument`. */
function processesOf(environmentId: string, argument: string): { node: number; child: number } {
  let [node, child] = [0, 0]
  for (const pid of readdirSync('/proc').map(Number)) {
    if (!(pid > 0)) continue
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (words.includes(argument)) child = pid
      const isNode = readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'node'
      const mark = `LAMBENT_ENVIRONMENT_ID=${environmentId}`
      if (isNode && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)) node = pid
    } catch {
      // it has ended meanwhile
    }
  }
  return { node, child }
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

gpus.run()
