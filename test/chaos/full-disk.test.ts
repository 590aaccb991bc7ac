import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, invokeUrl, zipOf } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until, within } from '../support/until.ts'
import { EngineProcess } from './engine-process.ts'
import { EventLedger } from './event-ledger.ts'
import { call } from './operations.ts'
import { copyProgram } from './program.ts'
import { openReportDesk, reportingHandler } from './reports.ts'
import { verifyStopped } from './stopped-data.ts'

const DISK_MB = 24
const EVENTS = 30
const FILLER = 'filler'

/** A disk of its own, small enough to be filled. */
function mountDisk(path: string): Disposable {
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', path], { stdio: 'pipe' })
  // Lazily: a process that is on its way out may still have a file open.
  return { [Symbol.dispose]: () => void execFileSync('umount', ['-l', path]) }
}

/** Why no disk can be mounted here; undefined when one can. */
function whyNot(): string | undefined {
  using folder = temporaryDirectory()
  try {
    using _disk = mountDisk(folder.join('disk'))
    return undefined
  } catch {
    return 'a small tmpfs cannot be mounted (it takes root)'
  }
}

/** Writes until not one byte more fits. */
function fill(disk: string): void {
  const file = openSync(join(disk, FILLER), 'a')
  try {
    for (let size = 64 * 1024; size >= 1;) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) size = Math.floor(size / 2)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // fs throws nothing else
        size = Math.floor(size / 2)
      }
    }
  } finally {
    closeSync(file)
  }
}

/** One event; its status, remembered when it was accepted. */
async function sendEvent(url: string, id: string, ledger: EventLedger): Promise<number> {
  const body = { id, filler: 'f'.repeat(2000) }
  const reply = await call(invokeUrl(url, 'events'), 'POST', body, { 'x-amz-invocation-type': 'Event' })
  if (reply.kind !== 'answer') throw new Error(`event ${id}: ${reply.kind}`)
  if (reply.status === 202) ledger.accept(id, reply.headers.get('x-amzn-requestid') ?? '')
  return reply.status
}

/** Gives `echo` other code; the answer's status. */
async function updateEcho(url: string): Promise<number> {
  const zip = await zipOf({ 'index.js': "exports.handler = async () => 'new code'" })
  const body = { ZipFile: zip.toString('base64') }
  const reply = await call(`${url}/2015-03-31/functions/echo/code`, 'PUT', body)
  return reply.kind === 'answer' ? reply.status : 0
}

const filling = suite('a full disk')
const withDisk = unlessMissing(filling, whyNot())

withDisk('refuses new events, serves calls, keeps what it accepted, and recovers with space', async () => {
  using folder = temporaryDirectory()
  const disk = folder.join('disk')
  using _disk = mountDisk(disk)
  await using desk = await openReportDesk()
  const ledger = new EventLedger(desk)
  const options = { program: copyProgram(folder), data: join(disk, 'data') }
  await using engine = new EngineProcess(options)
  await engine.ready
  const tags = { 'lambent:max-environments': '1' }
  await deploy(engine.url, 'events', await zipOf({ 'index.js': reportingHandler(desk.port) }), { tags })
  await deploy(engine.url, 'echo', await zipOf({ 'index.js': 'exports.handler = async (event) => event' }))
  await invoke(engine.url, 'echo', { warm: 'up' })
  for (let number = 0; number < EVENTS; number++) {
    assert.is(await sendEvent(engine.url, `before-${number}`, ledger), 202)
  }

  fill(disk)
  let number = 0
  const refusal = await until('an event is refused', async () => {
    const status = await sendEvent(engine.url, `full-${++number}`, ledger)
    return status === 202 ? false : status
  })

  assert.ok(refusal >= 500 && refusal < 600, `refused with ${refusal}`)
  assert.equal((await invoke(engine.url, 'echo', { nonce: 1 })).body, { nonce: 1 })
  const update = await updateEcho(engine.url)
  assert.ok(update >= 500 && update < 600, `the update was answered with ${update}`)
  assert.equal((await invoke(engine.url, 'echo', { nonce: 2 })).body, { nonce: 2 })
  rmSync(join(disk, FILLER))
  await until('events are accepted again', async () => {
    return (await sendEvent(engine.url, `after-${++number}`, ledger)) === 202
  })
  assert.ok(ledger.accepted > EVENTS)
  assert.is(await updateEcho(engine.url), 200)
  assert.is((await invoke(engine.url, 'echo', { nonce: 3 })).body, 'new code')
  assert.equal(await ledger.settle(engine.url), [])
  assert.equal(ledger.runProblems(), [])
  const end = await within('the end of the engine', engine.stop(), 20_000)
  assert.equal(end, { code: 0, signal: null })
  assert.equal(await verifyStopped(options.data), [])
})

withDisk('a restart on it says what is wrong or serves, and loses nothing', async () => {
  using folder = temporaryDirectory()
  const disk = folder.join('disk')
  using _disk = mountDisk(disk)
  await using desk = await openReportDesk()
  const ledger = new EventLedger(desk)
  const options = { program: copyProgram(folder), data: join(disk, 'data') }
  await using first = new EngineProcess(options)
  await first.ready
  await deploy(first.url, 'events', await zipOf({ 'index.js': reportingHandler(desk.port) }))
  for (let number = 0; number < EVENTS; number++) await sendEvent(first.url, `before-${number}`, ledger)
  fill(disk)
  await first.kill()

  await using second = new EngineProcess(options)
  const problem = await within(
    'the restart to serve or to end',
    second.ready.then(
      () => undefined,
      () => second.stderr,
    ),
  )

  if (problem !== undefined) assert.match(problem, /room|full|space/i)
  await second.kill()
  rmSync(join(disk, FILLER))
  await using third = new EngineProcess(options)
  await third.ready
  assert.equal(await ledger.settle(third.url), [])
  assert.equal(ledger.runProblems(), [])
  await third.stop()
  assert.equal(await verifyStopped(options.data), [])
})

filling.run()
