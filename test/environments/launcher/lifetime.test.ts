import { spawn, type ChildProcess } from 'node:child_process'
import { chownSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock, type Clock } from '../../../runtime/clock.ts'
import type { IsolationReport } from '../../../runtime/environments/launcher.ts'
import {
  childrenOf,
  isAlive,
  listPids,
  readResident,
  readStat,
  readVariables,
} from '../../../runtime/environments/spawner/proc.ts'
import { rejectsWith } from '../../support/assert.ts'
import { unlessMissing } from '../../support/skip.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts'
import { until, within } from '../../support/until.ts'
import { ARRANGEMENTS, Harness, whyMissing, type ArrangementName, howItEnded } from './harness.ts'

const living = suite('lifetime of environments')
const UNPRIVILEGED_UID = 12_345
const NAMES = Object.keys(ARRANGEMENTS) as ArrangementName[] // the keys of the object they come from

for (const name of NAMES) {
  const check = unlessMissing(living, await whyMissing(name))

  check(`${name}: nothing survives kill -9 of the engine`, async () => {
    using folder = temporaryDirectory()
    const engine = await startMiniEngine(name, folder)
    await until('the function has started its children', () => marked(engine.mark).length >= 3)

    engine.child.kill('SIGKILL')

    const startedMs = performance.now()
    await until('everything the engine started is gone', () => survivors(engine).length === 0, 3000)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs < 1000, `it took ${tookMs} ms`)
  })

  check(`${name}: after kill -9 of engine and spawner the next engine finds what is left`, async () => {
    using folder = temporaryDirectory()
    const engine = await startMiniEngine(name, folder)
    // Stopped first, so that it cannot see the engine's end.
    process.kill(engine.spawnerPid, 'SIGSTOP')

    engine.child.kill('SIGKILL')
    process.kill(engine.spawnerPid, 'SIGKILL')
    const again = await Harness.open(ARRANGEMENTS[name], keep(folder))

    try {
      await until('everything the engine started is gone', () => survivors(engine).length === 0, 3000)
    } finally {
      await again[Symbol.asyncDispose]()
    }
  })

  check(`${name}: a kill ends the tree and is told once it is gone`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const running = await harness.start()
    const mark = `kill-${process.pid}-${name.replaceAll(' ', '-')}`
    await running.run(`require('child_process').spawn('sleep', ['600'], { env: { MARK: '${mark}' } })`)
    await until('the child runs', () => marked(mark).length > 0)
    const pid = running.process.pid ?? 0
    const startTicks = readStat(pid)?.startTicks ?? 0

    running.process.kill()
    running.process.kill()
    const exit = await within('exit', running.process.exited)

    assert.equal(howItEnded(exit), { code: null, signal: 'SIGKILL', outOfMemory: false, means: '' })
    assert.not.ok(isAlive(pid, startTicks))
    assert.equal(marked(mark), [])
  })

  check(`${name}: a busy loop is killed as fast as anything`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const running = await harness.start()
    running.send('for (;;);')

    const startedMs = performance.now()
    running.process.kill()
    await running.closed
    const tookMs = performance.now() - startedMs
    await running.process.exited

    assert.ok(tookMs < 500, `it took ${tookMs} ms`)
  })
}

living('a spawner that dies is replaced, and what it had started is told as gone', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  const running = await harness.start()

  process.kill(spawnerOf(process.pid), 'SIGKILL')
  const exit = await within('exit', running.process.exited)
  const next = await harness.start()

  assert.is(exit.signal, 'SIGKILL')
  assert.is(await next.run('return 1 + 1'), 2)
})

living(
  'a spawner that dies again and again is given up: starts are refused, and the launcher closes',
  async () => {
    await using harness = await Harness.open({ isolation: 'none' })
    for (let death = 0; death < 4; death++) {
      const pid = await until('there is a spawner', () => spawnerOf(process.pid) || undefined)
      process.kill(pid, 'SIGKILL')
      await until('it is gone', () => spawnerOf(process.pid) !== pid)
      await until('that was noticed', () => harness.launcher.problem !== undefined || death < 3)
    }

    const refused = await within('the refusal', rejectsWith(harness.start(), 'unavailable'))

    assert.match(refused.message, 'died')
    assert.match(harness.launcher.problem ?? '', 'died')
  },
)

living('starts that are under way when the launcher closes end one way or the other', async () => {
  const harness = await Harness.open({ isolation: 'none', maxConcurrentStarts: 8 })
  const starts = Promise.allSettled(Array.from({ length: 8 }, () => harness.start()))

  await within('the launcher to close', harness[Symbol.asyncDispose]())

  const outcomes = await within('the starts', starts)
  assert.is(outcomes.length, 8)
})

living('a spawner that does not answer is not waited for endlessly', async () => {
  let pace = 1
  const clock: Clock = { ...systemClock, after: (ms, then) => systemClock.after(ms / pace, then) }
  await using harness = await Harness.open({ isolation: 'none', clock })
  pace = 100
  const pid = spawnerOf(process.pid)
  process.kill(pid, 'SIGSTOP')

  try {
    const refused = await within('the refusal', rejectsWith(harness.start(), 'unavailable'))
    assert.match(refused.message, 'did not answer')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until('what it starts too late is ended', () => childrenOf(pid).length === 0)
})

living('a flood of log lines passes the spawner by', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })
  const running = await harness.start()
  const spawnerPid = spawnerOf(process.pid)
  const beforeBytes = readResident(spawnerPid)?.residentBytes ?? 0
  const floodBytes = 100 * 1024 * 1024

  await running.run(
    `const line = Buffer.alloc(65536, 120); line[65535] = 10
     for (let i = 0; i < ${floodBytes / 65_536}; i++)
       await new Promise((resolve) => process.stdout.write(line, resolve))`,
  )
  await until('the log has come', () => running.logBytes >= floodBytes)

  const after = readResident(spawnerPid)
  const grownBytes = (after?.residentBytes ?? 0) - beforeBytes
  const ownBytes = (after?.residentBytes ?? 0) - (after?.sharedBytes ?? 0)
  assert.ok(grownBytes < 4 * 1024 * 1024, `it grew by ${grownBytes} bytes`)
  assert.ok(ownBytes < 25 * 1024 * 1024, `it has ${ownBytes} bytes of its own`)
})

living('a program that is not there is refused with what is wrong', async () => {
  await using harness = await Harness.open({ isolation: 'auto' })

  const refusal = await rejectsWith(harness.start({ nodePath: '/not/there/node' }), 'unavailable')

  assert.match(refusal.message, '/not/there/node')
  assert.is(await (await harness.start()).run('return 1'), 1)
})

const asRoot = process.getuid?.() === 0 ? undefined : 'another user can be had by root alone'
for (const name of NAMES.filter((arrangement) => arrangement !== 'none')) {
  unlessMissing(living, asRoot ?? (await whyMissing(name)))(
    `${name}: an engine without privileges reaches it, or says that it does not, and dies as cleanly`,
    async () => {
      using folder = temporaryDirectory()
      chownSync(folder.path, UNPRIVILEGED_UID, UNPRIVILEGED_UID)

      const engine = await startMiniEngine(name, folder, UNPRIVILEGED_UID)
      const { effective, means, missing } = engine.isolation
      engine.child.kill('SIGKILL')

      const wanted = ARRANGEMENTS[name]
      const reached = effective === wanted.isolation && means === wanted.means
      assert.ok(reached || missing.length > 1, `${effective} (${means}) without a reason`)
      process.stdout.write(`\nunprivileged: ${effective} (${means})\n`)
      await until('everything the engine started is gone', () => survivors(engine).length === 0, 3000)
    },
  )
}

interface MiniEngine {
  readonly child: ChildProcess
  readonly mark: string
  readonly cookie: string
  readonly spawnerPid: number
  readonly isolation: IsolationReport
}

async function startMiniEngine(
  name: ArrangementName,
  folder: TemporaryDirectory,
  uid?: number,
): Promise<MiniEngine> {
  const mark = `mini-${process.pid}-${Math.floor(performance.now())}`
  const program = join(dirname(fileURLToPath(import.meta.url)), 'mini-engine.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, name, mark, folder.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined
      ? {}
      : { uid, gid: uid, env: { PATH: process.env['PATH'] ?? '', HOME: folder.path } }),
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await until('the mini engine is ready', () => output.includes('\n') || child.exitCode !== null, 20_000)
  const { isolation } = JSON.parse(output) as { isolation: IsolationReport } // mini-engine.ts prints it
  const spawnerPid = spawnerOf(child.pid ?? 0)
  const cookie = [...(readVariables(spawnerPid) ?? [])].find((one) => one.startsWith('LAMBENT_ENGINE=')) ?? ''
  assert.is.not(cookie, '')
  return { child, mark, cookie, spawnerPid, isolation }
}

const spawnerOf = (pid: number): number =>
  childrenOf(pid).find((child) =>
    [...(readVariables(child) ?? [])].some((one) => one.startsWith('LAMBENT_ENGINE=')),
  ) ?? 0

const marked = (mark: string): number[] =>
  listPids().filter((pid) => readVariables(pid)?.has(`MARK=${mark}`) && readStat(pid)?.zombie === false)

/** Everything that carries the function's mark or the engine's cookie and is not dead. */
const survivors = (engine: MiniEngine): number[] =>
  listPids().filter((pid) => {
    const variables = readVariables(pid)
    const ours = variables?.has(engine.cookie) === true || variables?.has(`MARK=${engine.mark}`) === true
    return ours && readStat(pid)?.zombie === false
  })

/** The same folder for another owner, who does not remove it. */
const keep = (folder: TemporaryDirectory): TemporaryDirectory => ({
  path: folder.path,
  join: (...parts) => folder.join(...parts),
  [Symbol.dispose]: () => {},
})

living.run()
