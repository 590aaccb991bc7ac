import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CapacityPools } from '../../runtime/scheduler/capacity-pools.ts'
import type { Lease } from '../../runtime/scheduler/cluster.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'

const pools = suite('capacity pools')

const PROVIDER = 'arn:aws:lambda:r:0:capacity-provider:p'

/** Eight processors, of which the provider may have `limit`. */
function cluster(limit: number | undefined) {
  const limits = { cpu: limit }
  const launcher = { launch: () => Promise.reject(new Error('nothing is launched here')) } as never
  const machine = createLocalCluster({ resources: { cpu: 8 }, nodes: 2, launcher })
  const bound = new CapacityPools(machine, () => limits.cpu)
  const take = (cpu: number, provider: string | undefined = PROVIDER): Lease | string => {
    const outcome = bound.acquire({ resources: { cpu }, provider }, 'f')
    return outcome.kind === 'leased' ? outcome.lease : `${outcome.kind}: ${outcome.reason}`
  }
  return { bound, take, limits }
}

const isLease = (one: Lease | string): boolean => typeof one !== 'string'

pools(
  'a provider’s functions hold what it may have, over all nodes, and no more until one gives back',
  () => {
    const { take } = cluster(5000)

    const first = take(4000)
    const second = take(1000)
    const third = take(500)
    if (typeof first !== 'string') first[Symbol.dispose]()
    const fourth = take(2000)

    assert.equal([first, second, fourth].map(isLease), [true, true, true])
    assert.is(third, `wait: The functions of ${PROVIDER} hold 5 of 5 cpu.`)
  },
)

pools('others are not bound by it, and it is bound by the machine', () => {
  const { take } = cluster(undefined)

  const others = [take(4000, undefined), take(3000, undefined)]
  const own = [take(1000), take(1000)]

  assert.equal(others.map(isLease), [true, true])
  assert.is(isLease(own[0] ?? ''), true)
  assert.match(String(own[1]), /^wait: Waits for cpu 1/)
})

pools('a limit that is raised holds at once', () => {
  const { take, limits } = cluster(1000)

  const before = [take(1000), take(1000)].map(isLease)
  limits.cpu = 2000

  assert.equal(before, [true, false])
  assert.is(isLease(take(1000)), true)
})

pools('what is more than the provider ever has is infeasible, one by one and together', () => {
  const { bound, take } = cluster(3000)
  const ask = (cpu: number, times?: number) =>
    bound.infeasible({ resources: { cpu }, provider: PROVIDER }, times)

  assert.match(String(take(4000)), /^infeasible: .* has 3 cpu, and 4 for each environment do not fit/)
  assert.match(ask(4000) ?? '', /has 3 cpu/)
  assert.is(ask(1500, 2), undefined)
  assert.match(ask(1500, 3) ?? '', /has 3 cpu/)
})

pools.run()
