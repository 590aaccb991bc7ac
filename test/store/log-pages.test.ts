import { strict as assert } from 'node:assert'
import { suite } from 'uvu'
import type { LogPage, LogPageQuery, LogPosition } from '../../runtime/store/journal.ts'
import { openStore, type OpenStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { keptLog, makeStream, SCOPE, THEN_MS } from './samples.ts'

const GROUP = '/aws/lambda/orders'
const FAR_MS = Number.MAX_SAFE_INTEGER

async function open(folder: TemporaryDirectory): Promise<{ store: OpenStore } & AsyncDisposable> {
  const dataDirectory = folder.join('data')
  const store = await openStore({
    dataDirectory,
    clock: createFakeClock(THEN_MS),
    log: keptLog(),
    inline: true,
  })
  return { store, [Symbol.asyncDispose]: () => store.close() }
}

const query = (more: Partial<LogPageQuery> = {}): LogPageQuery => ({
  scope: SCOPE,
  group: GROUP,
  direction: 'forward',
  limit: 100,
  ...more,
})
const messages = ({ events }: LogPage): string[] => events.map(({ message }) => message)

/** All pages, one after the other, in the direction of `first`. */
async function everyPage(store: OpenStore, first: LogPageQuery): Promise<string[][]> {
  const pages: string[][] = []
  let from: LogPosition | undefined
  for (;;) {
    const page = await store.journal.page({ ...first, from })
    pages.push(messages(page))
    from = page.events.at(first.direction === 'forward' ? -1 : 0)
    if (!page.more || pages.length > 50) return pages
  }
}

const pages = suite('pages of logs')

pages('events of several streams are merged in order of time, page by page', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal } = test.store
  const one = journal.open(makeStream({ group: GROUP, name: 'one' }))
  const two = journal.open(makeStream({ group: GROUP, name: 'two' }))
  for (let at = 0; at < 6; at++) journal.line(at % 2 === 0 ? one : two, THEN_MS + at, '', `line ${at}`)

  assert.deepEqual(await everyPage(test.store, query({ limit: 4 })), [
    ['line 0', 'line 1', 'line 2', 'line 3'],
    ['line 4', 'line 5'],
  ])
  assert.deepEqual(messages(await journal.page(query({ streams: ['two'] }))), ['line 1', 'line 3', 'line 5'])
  assert.deepEqual(messages(await journal.page(query({ streamPrefix: 'o' }))), ['line 0', 'line 2', 'line 4'])
  assert.deepEqual(messages(await journal.page(query({ sinceMs: THEN_MS + 2, untilMs: THEN_MS + 3 }))), [
    'line 2',
    'line 3',
  ])
})

pages('pages backward begin with the newest events and lose none of the same moment', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal } = test.store
  const stream = journal.open(makeStream({ group: GROUP, name: 'one' }))
  for (let at = 0; at < 5; at++) journal.line(stream, THEN_MS, '', `line ${at}`)

  const backward = query({ streams: ['one'], direction: 'backward', limit: 2 })

  assert.deepEqual(await everyPage(test.store, backward), [
    ['line 3', 'line 4'],
    ['line 1', 'line 2'],
    ['line 0'],
  ])
})

pages('a long file is entered where the wanted time begins', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal } = test.store
  const stream = journal.open(makeStream({ group: GROUP, name: 'long' }))
  for (let at = 0; at < 9000; at++) journal.line(stream, THEN_MS + at, '', `${at} ${'x'.repeat(90)}`)

  for (const start of [0, 1, 4321, 8998]) {
    const page = await journal.page(query({ sinceMs: THEN_MS + start, limit: 2 }))
    assert.deepEqual(
      page.events.map(({ timeMs }) => timeMs - THEN_MS),
      [start, start + 1],
    )
  }
  assert.deepEqual((await journal.page(query({ sinceMs: THEN_MS + 9000 }))).events, [])
  const all = (await everyPage(test.store, query({ limit: 10_000 }))).flat()
  assert.equal(all.length, 9000)
  assert.equal(new Set(all).size, 9000)
})

pages('streams are summed up, and forgotten on demand while they go on', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal } = test.store
  const stream = journal.open(makeStream({ group: GROUP, name: 'one' }))
  const other = journal.open(makeStream({ group: '/other', name: 'two' }))
  journal.line(stream, THEN_MS, '', 'old')
  journal.line(other, THEN_MS + 1, '', 'kept')
  await journal.flush()

  const [first] = await journal.streams({ scope: SCOPE, group: GROUP })
  assert.equal(first?.name, 'one')
  assert.equal(first?.lastTimeMs, THEN_MS)
  await journal.forget({ scope: SCOPE, group: GROUP }, FAR_MS)
  assert.deepEqual(await journal.streams({ scope: SCOPE, group: GROUP }), [])
  journal.line(stream, THEN_MS + 5, '', 'new')

  assert.deepEqual(messages(await journal.page(query())), ['new'])
  assert.deepEqual(messages(await journal.page(query({ group: '/other' }))), ['kept'])
  assert.deepEqual(
    (await journal.streams({ scope: SCOPE })).map(({ group }) => group),
    [GROUP, '/other'],
  )
})

pages.run()
