import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  chromeTrace,
  type ChromeTrace,
  type TimelineSlice,
  type TraceEvent,
} from '../../../adapters/lambent-api/chrome-trace.ts'
import { runOf, SCOPE, startLambentApi, STREAM } from './harness.ts'

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5)

const slice = (change: Partial<TimelineSlice> & { runId: string }): TimelineSlice => ({
  name: 'orders',
  kind: 'invocation',
  functionName: 'orders',
  environmentId: 'e-1',
  acceptedAtMs: T0,
  startedAtMs: T0,
  durationMs: 10,
  initMs: null,
  detail: {},
  ...change,
})

const barsOf = (trace: ChromeTrace): TraceEvent[] => trace.traceEvents.filter(({ ph }) => ph === 'X')

/** What an importer of the format insists on, event by event and row by row. */
function assertStrict(trace: ChromeTrace): void {
  const rows = new Map<string, TraceEvent[]>()
  const open = new Map<string, number>()
  const named = new Set<string>()
  let lastUs = 0
  for (const event of trace.traceEvents) {
    const { name, ph, pid, tid, ts, dur, cat, id } = event
    assert.ok(name !== '' && 'XbeM'.includes(ph), JSON.stringify(event))
    for (const number of [pid, tid, ts]) assert.ok(Number.isSafeInteger(number) && number >= 0)
    if (ph === 'M') {
      named.add(`${name} ${pid} ${tid}`)
      continue
    }
    assert.ok(named.has(`process_name ${pid} 0`), 'its process has a name')
    assert.ok(named.has(`thread_name ${pid} ${tid}`), 'its row has a name')
    assert.ok(ts >= lastUs, 'events come in order')
    lastUs = ts
    if (ph === 'X') {
      assert.ok(Number.isSafeInteger(dur) && Number(dur) >= 0)
      rows.set(`${pid} ${tid}`, [...(rows.get(`${pid} ${tid}`) ?? []), event])
      continue
    }
    const key = `${cat}/${id}/${name}`
    assert.ok(cat !== undefined && id !== undefined)
    open.set(key, (open.get(key) ?? 0) + (ph === 'b' ? 1 : -1))
    assert.ok([0, 1].includes(open.get(key) ?? -1), 'a wait ends after it began')
  }
  for (const left of open.values()) assert.is(left, 0, 'every wait ends')
  for (const bars of rows.values()) {
    let endUs = 0
    for (const { ts, dur } of bars) {
      assert.ok(ts >= endUs, 'bars of a row do not cross')
      endUs = ts + Number(dur)
    }
  }
}

/** Numbers in [0, 1) that look random and are the same every time. */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

const timeline = suite('the timeline')

timeline('a cold run is a wait, a load and a bar, in the row of its environment', () => {
  const trace = chromeTrace([
    slice({
      runId: 'r1',
      startedAtMs: T0 + 50,
      initMs: 20,
      durationMs: 10.5,
      detail: { status: 'succeeded' },
    }),
  ])

  assertStrict(trace)
  assert.is(trace.otherData['startedAt'], new Date(T0).toISOString())
  const shown = trace.traceEvents.map(({ name, ph, ts, dur }) => [ph, name, ts, dur])
  assert.equal(shown.slice(-4), [
    ['b', 'orders waits', 0, undefined],
    ['e', 'orders waits', 30_000, undefined],
    ['X', 'load', 30_000, 20_000],
    ['X', 'orders', 50_000, 10_500],
  ])
  assert.equal(trace.traceEvents.at(-1)?.args, { runId: 'r1', waitMs: 30, status: 'succeeded' })
  assert.equal(trace.traceEvents[0]?.args, { name: 'orders' })
})

timeline('what an environment ran at once lies in rows of its own, what it ran in turn in one', () => {
  const together = chromeTrace([
    slice({ runId: 'r1', durationMs: 100 }),
    slice({ runId: 'r2', startedAtMs: T0 + 10, durationMs: 100 }),
    slice({ runId: 'r3', startedAtMs: T0 + 105, durationMs: 10 }),
  ])
  // Starts are whole milliseconds: these five ran one after the other within one of them.
  const inTurn = chromeTrace(
    Array.from({ length: 5 }, (_, index) => slice({ runId: `r${index}`, durationMs: 0.2 })),
  )

  assertStrict(together)
  assertStrict(inTurn)
  const [first, second, third] = barsOf(together).map(({ tid }) => tid)
  assert.is.not(first, second)
  assert.is(first, third)
  assert.is(new Set(barsOf(inTurn).map(({ tid }) => tid)).size, 1)
})

timeline('any mixture of runs keeps to the format', () => {
  const rng = numbersFrom(7)
  const slices = Array.from({ length: 2000 }, (_, index) => {
    const acceptedAtMs = T0 + Math.floor(rng() * 1000)
    const initMs = rng() < 0.1 ? rng() * 50 : null
    return slice({
      runId: `r${index}`,
      functionName: `f${index % 3}`,
      environmentId: `e${index % 7}`,
      acceptedAtMs,
      startedAtMs: acceptedAtMs + Math.floor(rng() * 100),
      durationMs: rng() * 30,
      initMs,
    })
  })

  const trace = chromeTrace(slices)

  assertStrict(trace)
  assert.is(barsOf(trace).filter(({ name }) => name !== 'load').length, 2000)
})

timeline('nothing at all is an empty trace', () => {
  const trace = chromeTrace([])

  assert.equal(trace.traceEvents, [])
  assertStrict(trace)
})

timeline('over HTTP it holds the runs that ended, those that run, and no others', async () => {
  await using lambent = await startLambentApi()
  const { journal, clock } = lambent
  const stream = journal.open(STREAM)
  const nowMs = clock.nowMs()
  for (const runId of ['00000000-0001', '00000000-0002'])
    journal.finished(stream, runOf({ runId, acceptedAtMs: nowMs, startedAtMs: nowMs }), {
      startWritten: false,
      recorded: false,
    })
  await journal.flush()
  lambent.running.push({
    ...{ runId: '00000000-0003', scope: SCOPE, functionName: 'orders', version: '$LATEST' },
    ...{ target: 'task/sum', environmentId: 'e-2', startedAtMs: nowMs - 40 },
  })
  const read = async (query: string): Promise<ChromeTrace> =>
    (await lambent.json(`/timeline${query}`)) as ChromeTrace // our own answer

  const trace = await read('')

  assertStrict(trace)
  assert.equal(
    barsOf(trace).map(({ name, cat, args }) => [name, cat, args?.['status']]),
    [
      ['orders/sum', 'task', 'running'],
      ['orders', 'invocation', 'succeeded'],
      ['orders', 'invocation', 'succeeded'],
    ],
  )
  assert.is(barsOf(await read('?limit=1')).length, 2)
  assert.is(barsOf(await read('?function=nobody')).length, 0)
  assert.is(barsOf(await read('?region=eu-west-1')).length, 0)
  assert.is(barsOf(await read('?scope=all')).length, 3)
})

timeline.run()
