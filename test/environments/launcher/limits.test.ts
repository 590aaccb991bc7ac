import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { unlessMissing } from '../../support/skip.ts'
import { until, within } from '../../support/until.ts'
import { Harness, type Running, howItEnded } from './harness.ts'

const limiting = suite('limits of environments')

const reported = await (async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  return harness.launcher.isolation
})()
const withGroups = reported.memory.startsWith('cgroup')
  ? undefined
  : `memory is bounded by ${reported.memory} here`

/** Takes memory outside the JavaScript heap, 8 MB at a time, until something stops it. */
const HOG = `const held = []; for (;;) { held.push(Buffer.alloc(8e6, 1)); await new Promise(setImmediate) }`
/** Fills the JavaScript heap. */
const HEAP_HOG = `const held = []; for (;;) { held.push(new Array(1e5).fill(held.length)); await new Promise(setImmediate) }`

/** Sets a limit of 160 MB and whatever else is asked for. */
const limit = (running: Running, others: { maxProcesses?: number; maxOpenFiles?: number } = {}) =>
  running.process.limit({ memoryMb: 160, maxProcesses: 512, maxOpenFiles: 1024, ...others })

unlessMissing(limiting, withGroups)(
  'with control groups a program past its memory is killed and it is told why',
  async () => {
    await using harness = await Harness.open({ isolation: 'auto' })
    const running = await harness.start()
    await limit(running)

    running.send(HOG)
    const exit = await within('exit', running.process.exited)

    assert.equal(howItEnded(exit), { code: null, signal: 'SIGKILL', outOfMemory: true, means: 'cgroup' })
  },
)

limiting('without control groups a program cannot take more than its data limit', async () => {
  await using harness = await Harness.open({ isolation: 'auto', useControlGroups: false })
  const running = await harness.start()
  await limit(running)

  running.send(HOG)
  // What the limit does to it depends on who allocates: an error to catch, or an abort.
  const stopped = await within(
    'an end',
    Promise.race([running.process.exited, running.run('return "alive"').catch((error: unknown) => error)]),
    20_000,
  )

  assert.ok(stopped !== undefined)
})

limiting('without control groups the watchdog ends a tree that is past its memory', async () => {
  await using harness = await Harness.open({ isolation: 'auto', useControlGroups: false })
  const running = await harness.start()
  await limit(running)

  // Each child stays below the data limit; together they do not.
  running.send(
    `for (let i = 0; i < 4; i++) require('child_process').spawn(process.execPath,
       ['-e', 'globalThis.held = Buffer.alloc(60e6, 1); setInterval(() => {}, 1000)'])
     await new Promise(() => {})`,
  )
  const exit = await within('exit', running.process.exited)

  assert.equal(howItEnded(exit), { code: null, signal: 'SIGKILL', outOfMemory: true, means: 'watchdog' })
})

limiting('a JavaScript heap that is full counts as out of memory', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  const running = await harness.start({ nodeArguments: ['--max-old-space-size=64'] })
  await running.process.limit({ memoryMb: 512, maxProcesses: 512, maxOpenFiles: 1024 })

  running.send(HEAP_HOG)
  const exit = await within('exit', running.process.exited, 20_000)

  assert.is(exit.signal, 'SIGABRT')
  assert.equal([exit.outOfMemory, exit.means], [true, 'heap'])
})

limiting('an abort with memory to spare is no such thing', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  const running = await harness.start()
  await running.process.limit({ memoryMb: 1024, maxProcesses: 512, maxOpenFiles: 1024 })

  running.send('process.abort()')
  const exit = await within('exit', running.process.exited)

  assert.equal(howItEnded(exit), { code: null, signal: 'SIGABRT', outOfMemory: false, means: '' })
})

for (const useControlGroups of withGroups === undefined ? [true, false] : [false]) {
  const how = useControlGroups ? 'with' : 'without'

  limiting(`${how} control groups the number of processes is bounded`, async () => {
    await using harness = await Harness.open({ isolation: 'auto', useControlGroups })
    const running = await harness.start()
    await limit(running, { maxProcesses: 64 })

    running.send(
      `const { spawn } = require('child_process'); globalThis.started = 0
       for (let i = 0; i < 200; i++)
         spawn('sleep', ['600']).on('spawn', () => globalThis.started++).on('error', () => {})`,
    )
    const end = await Promise.race([
      running.process.exited.then(() => 'ended' as const),
      running.run<number>(
        'return new Promise((resolve) => setTimeout(() => resolve(globalThis.started), 300))',
      ),
    ])

    assert.ok(end === 'ended' || end < 64, `${end} of 200 were started`)
  })

  limiting(`${how} control groups the number of open files is bounded`, async () => {
    await using harness = await Harness.open({ isolation: 'auto', useControlGroups })
    const running = await harness.start()
    await limit(running, { maxOpenFiles: 100 })

    const opened = await running.run<[number, string]>(
      `const files = []; try { for (;;) files.push(require('fs').openSync('/dev/null')) }
       catch (error) {
         for (const file of files) require('fs').closeSync(file)
         return [files.length, error.code]
       }`,
    )

    assert.ok(opened[0] < 100)
    assert.is(opened[1], 'EMFILE')
  })
}

limiting('a limit of an environment that is gone is refused', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  const running = await harness.start()
  running.process.kill()
  await running.process.exited

  const refusal = await limit(running).catch((error: unknown) => error)

  assert.match(String(refusal), 'it has ended')
})

limiting('a herd of starts goes through a bounded line and all of it starts', async () => {
  await using harness = await Harness.open({ isolation: 'auto', maxConcurrentStarts: 2 })

  const herd = await Promise.all(Array.from({ length: 8 }, () => harness.start()))
  const answers = await Promise.all(herd.map((running) => running.run('return 1')))

  assert.equal(
    answers,
    Array.from({ length: 8 }, () => 1),
  )
  for (const running of herd) running.process.kill()
  await until('all are gone', async () => {
    await Promise.all(herd.map((running) => running.process.exited))
    return true
  })
})

limiting.run()
