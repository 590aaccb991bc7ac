import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { FunctionVersion, ProvisionedShare } from '../../runtime/registry/types.ts'
import { turn, version, world } from '../support/scheduler-world.ts'

const provisioned = suite('environments that are kept ready')

const shareOf = (count: number): ProvisionedShare => ({ count, inFlight: 0, ready: 0, failure: undefined })
type World = Awaited<ReturnType<typeof world>>

/** Asks for `count` of one version, and for nothing else of its function. */
function keep({ scheduler }: World, of: FunctionVersion, share: ProvisionedShare): void {
  scheduler.provisioned.open()
  scheduler.provisioned.follow(of.functionId, [{ version: of, count: share.count, share }])
}

provisioned('they are started and loaded before anybody asks, a few at a time', async () => {
  const it = await world()
  const share = shareOf(6)

  keep(it, version('kept'), share)
  const first = it.processes.length
  await it.ready()

  assert.is(first, 4)
  assert.is(it.processes.length, 6)
  assert.is(share.ready, 6)
})

provisioned('nothing starts before the engine is open', async () => {
  const it = await world()
  const of = version('kept')
  const share = shareOf(1)

  it.scheduler.provisioned.follow(of.functionId, [{ version: of, count: 1, share }])
  const before = it.processes.length
  it.scheduler.provisioned.open()

  assert.is(before, 0)
  assert.is(it.processes.length, 1)
})

provisioned('they outlive every idle time, and others beside them do not', async () => {
  const it = await world()
  const of = version('kept')
  keep(it, of, shareOf(1))
  await it.ready()
  it.submit('first', of)
  it.submit('more', of)
  await it.clock.advance(10)
  await it.ready()
  for (const process of it.processes) process.answer()

  await it.clock.advance(120_000)

  assert.equal(
    it.processes.map(({ killed }) => killed),
    [false, true],
  )
})

provisioned('they are used before others, whichever was used last', async () => {
  const it = await world()
  const of = version('kept')
  it.submit('cold', of)
  await it.ready()
  it.processes[0]?.answer()
  keep(it, of, shareOf(1))
  await it.ready()

  it.submit('a', of)
  it.processes[1]?.answer('a')
  it.submit('b', of)
  it.submit('c', of)
  it.processes[0]?.answer('c')
  it.processes[1]?.answer('b')
  it.submit('d', of)

  assert.equal(
    it.processes[1]?.held.map(({ requestId }) => requestId),
    ['d'],
  )
})

provisioned('one that ends is replaced; the count says so meanwhile', async () => {
  const it = await world()
  const share = shareOf(2)
  keep(it, version('kept'), share)
  await it.ready()

  it.processes[0]?.crash()
  await turn()
  const meanwhile = share.ready
  await it.ready()

  assert.is(meanwhile, 1)
  assert.is(share.ready, 2)
  assert.is(it.processes.length, 3)
})

provisioned('code that cannot be loaded is a failure, tried again ever more rarely', async () => {
  const it = await world()
  const share = shareOf(1)
  keep(it, version('broken'), share)
  const fail = async (): Promise<void> => {
    const process = it.processes.at(-1)
    process?.boot()
    process?.initialize({ errorType: 'Error', errorMessage: 'no', trace: [] })
    await turn()
  }

  await fail()
  const failure = share.failure
  const atOnce = it.processes.length
  await it.clock.advance(2000)
  const second = it.processes.length
  await fail()
  await it.clock.advance(1000)
  const third = it.processes.length
  await it.clock.advance(2000)
  await it.ready()

  assert.is(failure, 'FUNCTION_ERROR_INIT_FAILURE')
  assert.equal([atOnce, second, third, it.processes.length], [1, 2, 2, 3])
  assert.is(share.failure, undefined)
  assert.is(share.ready, 1)
})

provisioned('those of a version nobody asks for any more end when they have answered', async () => {
  const it = await world()
  const old = version('kept', {}, { key: 'kept:1:1', functionId: 'kept' })
  const next = version('kept', {}, { key: 'kept:2:2', functionId: 'kept' })
  keep(it, old, shareOf(2))
  await it.ready()
  it.submit('a', old)

  keep(it, next, shareOf(2))
  await it.ready()
  const before = it.processes.map(({ killed }) => killed)
  it.processes[1]?.answer('a')
  await turn()

  assert.equal(before, [true, false, false, false])
  assert.is(it.processes[1]?.killed, true)
  assert.equal(it.events, ['a answered'])
})

provisioned('fewer than before: those that do nothing end first', async () => {
  const it = await world()
  const of = version('kept')
  keep(it, of, shareOf(3))
  await it.ready()
  it.submit('a', of)

  const share = shareOf(1)
  keep(it, of, share)
  await turn()

  assert.equal(
    it.processes.map(({ killed }) => killed),
    [true, true, false],
  )
  assert.is(share.ready, 1)
})

provisioned('an idle one is nobody else’s to end, and a busy one neither', async () => {
  const it = await world({ maxEnvironments: 2 })
  const of = version('kept', {}, { timeoutMs: null })
  keep(it, of, shareOf(2))
  await it.ready()
  it.submit('a', of)

  it.submit('starved', version('other'))
  await it.clock.advance(10_020)

  assert.equal(
    it.processes.map(({ killed }) => killed),
    [false, false],
  )
  assert.equal(it.events, ['starved refused: environment-cap'])
})

provisioned('idle environments of others end to make room; without any, the caller learns why', async () => {
  const it = await world({ maxEnvironments: 2 })
  it.submit('a', version('other'))
  it.submit('b', version('busy', {}, { timeoutMs: null }))
  await it.ready()
  it.processes[0]?.answer()
  const share = shareOf(2)

  keep(it, version('kept'), share)
  await turn()
  await it.ready()
  const early = { ready: share.ready, failure: share.failure }
  await it.clock.advance(31_000)
  const late = share.failure
  it.processes[1]?.answer()
  await it.clock.advance(1000)
  await it.ready()

  assert.is(it.processes[0]?.killed, true)
  assert.equal(early, { ready: 1, failure: undefined })
  assert.match(late ?? '', /LAMBENT_MAX_ENVIRONMENTS/)
  assert.equal([share.ready, share.failure], [2, undefined])
})

provisioned('one that crashes has its place back before others that wait for one', async () => {
  const it = await world({ maxEnvironments: 1 })
  const share = shareOf(1)
  keep(it, version('kept'), share)
  await it.ready()
  it.submit('other', version('other'), true)
  await it.clock.advance(10)

  it.processes[0]?.crash()
  await turn()
  await it.ready()

  assert.is(share.ready, 1)
  assert.equal(it.events, [])
})

provisioned.run()
