import { rmSync } from 'node:fs'
import { systemClock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import { systemRng } from '../../runtime/rng.ts'
import { deleteEvent, insertEvent, loadEventHeads } from '../../runtime/store/events.ts'
import { openStore, type OpenStore } from '../../runtime/store/open.ts'
import { insertRun } from '../../runtime/store/runs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { makeEvent, makeRun, makeStream } from './samples.ts'

/**
 * Figures of the store, by hand: `npx tsx test/store/measure.ts`. Rates of durable accepts at several depths,
 * how busy they keep the main thread, and what the journal costs there.
 */

const SECONDS = 2
const rng = systemRng()
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const log: Log = { debug() {}, info() {}, warn: complain, error: complain }

function complain(event: string, fields?: unknown): void {
  process.stderr.write(`${event} ${JSON.stringify(fields)}\n`)
}

/** Runs `depth` loops of `work` side by side and prints how many a second were done. */
async function rate(name: string, depth: number, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage()
  const idle = performance.eventLoopUtilization()
  const startMs = performance.now()
  let done = 0
  const loop = async (): Promise<void> => {
    while (performance.now() - startMs < SECONDS * 1000) {
      await work()
      done++
    }
  }
  await Promise.all(Array.from({ length: depth }, loop))
  const seconds = (performance.now() - startMs) / 1000
  const busy = performance.eventLoopUtilization(idle).utilization
  const used = process.cpuUsage(cpu)
  const cores = (used.user + used.system) / 1e6 / seconds
  print(
    `${name}, ${depth} in flight: ${Math.round(done / seconds)}/s, main thread ${(busy * 100).toFixed(0)} % busy, ` +
      `${cores.toFixed(2)} cores in all, ${((busy * seconds * 1e6) / done).toFixed(1)} us of main a piece`,
  )
}

async function accepts(store: OpenStore): Promise<void> {
  const payload = Buffer.alloc(873, 'x')
  for (const depth of [1, 64, 256]) {
    await rate('accept', depth, () =>
      store.commit([insertEvent({ ...makeEvent(rng.uuid(Date.now())), payload })]),
    )
  }
  await rate('accept, then finish with its run', 64, async () => {
    const id = rng.uuid(Date.now())
    await store.commit([insertEvent({ ...makeEvent(id), payload })])
    await store.commit([deleteEvent(id), insertRun({ ...makeRun(id), trigger: 'event' })])
  })
}

async function journal(store: OpenStore): Promise<void> {
  const stream = store.journal.open(makeStream())
  const tellsMs: number[] = []
  const utilization = performance.eventLoopUtilization()
  const startMs = performance.now()
  let told = 0
  for (let round = 0; round < 40; round++) {
    const tellMs = performance.now()
    for (let index = 0; index < 1000; index++) {
      store.journal.finished(stream, makeRun(rng.uuid(Date.now())), { startWritten: false, recorded: false })
      told++
    }
    tellsMs.push(performance.now() - tellMs)
    await systemClock.sleep(50)
  }
  const handedOverMs = performance.now() - startMs
  const busy = performance.eventLoopUtilization(utilization).utilization
  await store.journal.flush()
  const flushedMs = performance.now() - startMs - handedOverMs
  tellsMs.sort((left, right) => left - right)
  print(
    `journal: ${told} finished() at 20k/s, ${(tellsMs[20] ?? 0).toFixed(2)} us each (making the record included), ` +
      `main thread ${(busy * 100).toFixed(1)} % busy, flush ${flushedMs.toFixed(0)} ms, ` +
      `dropped ${JSON.stringify(store.journal.dropped)}`,
  )
}

async function restart(directory: string): Promise<void> {
  const startMs = performance.now()
  const reopened = await openStore({ dataDirectory: directory, clock: systemClock, log })
  const openedMs = performance.now() - startMs
  let loaded = 0
  for (let after = 0, page = 1; page > 0; loaded += page) {
    const heads = loadEventHeads(reopened.reader, after, 5000)
    page = heads.length
    after = heads.at(-1)?.sequence ?? 0
  }
  const loadedMs = performance.now() - startMs - openedMs
  await reopened.close()
  print(`restart: open ${openedMs.toFixed(0)} ms, heads of ${loaded} events ${loadedMs.toFixed(0)} ms`)
}

const folder = temporaryDirectory()
const store = await openStore({ dataDirectory: folder.path, clock: systemClock, log })
await accepts(store)
await journal(store)
await store.close()
await restart(folder.path)
rmSync(folder.path, { recursive: true, force: true })
