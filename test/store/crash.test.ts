import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { suite } from 'uvu'
import { systemClock } from '../../runtime/clock.ts'
import { countEvents, loadEvents } from '../../runtime/store/events.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { within } from '../support/until.ts'
import { keptLog } from './samples.ts'

const CYCLES = 100
const DIRECTORIES = 5
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The writer as one file, so that a cycle costs a start of Node.js and no compiler. */
async function buildWriter(folder: TemporaryDirectory): Promise<string> {
  const outfile = folder.join('writer.mjs')
  await build({
    entryPoints: [join(root, 'test/store/crash-writer.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    external: ['better-sqlite3'],
    plugins: [
      {
        name: 'our better-sqlite3',
        setup(building) {
          building.onResolve({ filter: /^better-sqlite3$/ }, () => ({
            path: join(root, 'node_modules/better-sqlite3/lib/index.js'),
            external: true,
          }))
        },
      },
    ],
  })
  return outfile
}

function start(program: string, directory: string, first: string) {
  const child = spawn(process.execPath, [program, directory, first], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  })
  return { child, lines: createInterface({ input: child.stdout }) }
}

/**
 * Starts the writer, kills it at a point that differs from cycle to cycle, and answers what it had
 * acknowledged.
 */
async function crashOnce(
  program: string,
  directory: string,
  first: number,
  afterLines: number,
): Promise<number[]> {
  const { child, lines } = start(program, directory, String(first))
  const acknowledged: number[] = []
  let left = afterLines
  lines.on('line', (line) => {
    if (line !== 'open') acknowledged.push(Number(line))
    if (left-- === 0) child.kill('SIGKILL')
  })
  await within('the writer to die', once(lines, 'close'))
  return acknowledged
}

const crashing = suite('crashing')

crashing(`${CYCLES} times with kill -9 loses no acknowledged event`, async () => {
  using folder = temporaryDirectory()
  const program = await buildWriter(folder)

  await Promise.all(
    Array.from({ length: DIRECTORIES }, async (_, lane) => {
      const directory = folder.join(`data-${lane}`)
      const acknowledged = new Set<number>()
      for (let cycle = 0; cycle < CYCLES / DIRECTORIES; cycle++) {
        const seen = await crashOnce(program, directory, cycle * 1000, (cycle * 7) % 40)
        for (const number of seen) acknowledged.add(number)
      }

      const store = await openStore({
        dataDirectory: directory,
        clock: systemClock,
        log: keptLog(),
        inline: true,
      })
      const kept = new Set<number>()
      const { events, damaged } = loadEvents(store.reader, 0, 1_000_000)
      for (const event of events) kept.add(Number(event.payload.toString().slice('event '.length)))
      assert.deepEqual(damaged, [])
      assert.equal(store.reader.pragma('integrity_check', { simple: true }), 'ok')
      assert.equal(store.bootEpoch, CYCLES / DIRECTORIES + 1)
      assert.ok(acknowledged.size > CYCLES, `only ${acknowledged.size} events were acknowledged`)
      assert.deepEqual(
        [...acknowledged].filter((number) => !kept.has(number)),
        [],
      )
      assert.equal(countEvents(store.reader), kept.size)
      await store.close()
    }),
  )
})

crashing(
  'a second engine is kept out, told who has the directory, and let in when that one is killed',
  async () => {
    using folder = temporaryDirectory()
    const program = await buildWriter(folder)
    const directory = folder.join('data')
    const options = { dataDirectory: directory, clock: systemClock, log: keptLog(), inline: true }
    const { child, lines } = start(program, directory, 'hold')
    await within('the holder to open its store', once(lines, 'line'))

    const failure = await rejectsWith(openStore(options), 'conflict')

    assert.match(failure.message, new RegExp(`process ${child.pid}\\b`))
    assert.match(failure.message, /data/)
    assert.match(failure.hint ?? '', /--data/)
    child.kill('SIGKILL')
    await within('the holder to die', once(child, 'exit'))
    const store = await openStore(options)
    await store.close()
  },
)

crashing('the same process cannot take a directory twice, and can after closing', async () => {
  using folder = temporaryDirectory()
  const options = { dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline: true }
  const store = await openStore(options)

  await rejectsWith(openStore(options), 'conflict')

  await store.close()
  await (await openStore(options)).close()
})

crashing.run()
