import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Launcher } from '../../runtime/environments/launcher.ts'
import { createLog } from '../../runtime/log.ts'
import { createGpuCheck } from '../../runtime/scheduler/gpu-check.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { createFakeClock } from '../support/clock.ts'

const checking = suite('handing on GPUs')

const launcher: Launcher = {
  isolation: { requested: 'none', effective: 'none', means: '', missing: [], memory: '', killsTree: false },
  launch: () => Promise.reject(new Error('nothing is started here')),
  close: () => Promise.resolve(),
}

/** A machine with one found GPU, and what its driver says. */
function machine() {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const driver = { pids: [] as number[], fails: '' }
  const probe = {
    devices: () => Promise.resolve([]),
    processes: () =>
      driver.fails === ''
        ? Promise.resolve(new Map([['GPU-a', driver.pids]]))
        : Promise.reject(new Error(driver.fails)),
  }
  let rooms = 0
  const cluster = createLocalCluster({
    resources: { cpu: 2 },
    gpus: [{ index: 0, uuid: 'GPU-a', declared: false }],
    nodes: 1,
    launcher,
    gpuCheck: createGpuCheck({ probe, clock, log }),
    onRoom: () => (rooms += 1),
  })
  const take = (gpu = 1000) => cluster.acquire({ resources: { gpu } }, 'someone')
  const giveBack = (): void => {
    const outcome = take()
    if (outcome.kind !== 'leased') throw new Error(outcome.reason)
    outcome.lease[Symbol.dispose]()
  }
  const withheld = (): string => cluster.nodes()[0]?.gpus[0]?.withheld ?? ''
  return { clock, driver, cluster, take, giveBack, withheld, rooms: () => rooms }
}

checking('a GPU is handed on when no process is on it any more, and not before', async () => {
  const { clock, driver, take, giveBack, withheld, rooms } = machine()
  driver.pids = [17]
  giveBack()

  await clock.advance(1500)
  assert.is(take().kind, 'wait')
  assert.match(withheld(), 'its last holder is gone')
  driver.pids = []
  await clock.advance(200)

  assert.is(rooms(), 1)
  assert.is(take().kind, 'leased')
})

checking('after two seconds it is cordoned with the reason, until it is free', async () => {
  const { clock, driver, take, giveBack, withheld, rooms } = machine()
  driver.pids = [17, 18]
  giveBack()
  await clock.advance(2500)

  const outcome = take()
  assert.is(withheld(), 'cordoned: processes 17, 18 still on it')
  assert.match(outcome.kind === 'wait' ? outcome.reason : '', 'GPU 0 of local is not given out: cordoned')
  assert.is(rooms(), 0)

  driver.pids = []
  await clock.advance(5200)
  assert.is(withheld(), '')
  assert.is(rooms(), 1)
  assert.is(take().kind, 'leased')
})

checking('a driver that does not answer cordons it, too', async () => {
  const { clock, driver, giveBack, withheld } = machine()
  driver.fails = 'nvidia-smi did not answer for 2000 ms.'
  giveBack()
  await clock.advance(2500)

  assert.match(withheld(), 'cordoned: the driver does not say what runs on it (nvidia-smi did not answer')
})

checking('a share is handed on at once, whatever runs', async () => {
  const { clock, driver, cluster, take, withheld } = machine()
  driver.pids = [17]
  const outcome = take(500)
  if (outcome.kind === 'leased') outcome.lease[Symbol.dispose]()
  await clock.advance(3000)

  assert.is(withheld(), '')
  assert.is(cluster.nodes()[0]?.available['gpu'], 1000)
})

checking.run()
