import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MAX_WAITING_BYTES } from '../../../adapters/lambent-api/event-stream.ts'
import { within } from '../../support/until.ts'
import { readText, startLambentApi, STREAM } from './harness.ts'

const events = suite('event stream')
const lastIdIn = (text: string): string => /id: (\S+)\s*$/m.exec(text)?.[1] ?? ''

events('tells what happens from now on, with ids', async () => {
  await using lambent = await startLambentApi()
  lambent.feed.emit('function-updated', { functionName: 'before' })
  const response = await lambent.request('/events')

  assert.is(response.headers.get('content-type')?.split(';')[0], 'text/event-stream')
  lambent.feed.emit('function-updated', { functionName: 'orders' })
  const text = await within(
    'the event',
    readText(response, (all) => all.includes('orders')),
  )

  assert.match(text, 'event: function-updated')
  assert.match(text, /id: [0-9a-f]{8}-2/)
  assert.not.match(text, 'before')
})

events('goes on where the reader left', async () => {
  await using lambent = await startLambentApi()
  const first = await lambent.request('/events')
  lambent.feed.emit('a', {})
  const seen = await within(
    'the first',
    readText(first, (all) => all.includes('event: a')),
  )
  lambent.feed.emit('b', {})
  lambent.feed.emit('c', {})

  const headers = { 'last-event-id': lastIdIn(seen) }
  const resumed = await lambent.request('/events', { headers })
  const text = await within(
    'the rest',
    readText(resumed, (all) => all.includes('event: c')),
  )

  assert.match(text, 'event: b')
  assert.not.match(text, 'event: a')
  assert.not.match(text, 'dropped')
})

events('an id of another engine gets everything kept', async () => {
  await using lambent = await startLambentApi()
  lambent.feed.emit('a', {})

  const response = await lambent.request('/events', { headers: { 'last-event-id': 'deadbeef-999' } })
  const text = await within(
    'what is kept',
    readText(response, (all) => all.includes('event: a')),
  )

  assert.match(text, 'event: a')
})

events('a reader that was away too long is told what it missed', async () => {
  await using lambent = await startLambentApi()
  const first = await lambent.request('/events')
  lambent.feed.emit('start', {})
  const seen = await within(
    'the first',
    readText(first, (all) => all.includes('event: start')),
  )
  for (let index = 0; index < 1500; index += 1) lambent.feed.emit('more', { index })

  const response = await lambent.request('/events', { headers: { 'last-event-id': lastIdIn(seen) } })
  const text = await within(
    'the notice',
    readText(response, (all) => all.includes('event: more')),
  )

  assert.match(text, 'event: dropped')
  assert.match(text, '"dropped":500')
})

events('a slow reader loses events, is told how many, and costs a bounded buffer', async () => {
  await using lambent = await startLambentApi()
  const response = await lambent.request('/events')
  const big = 'x'.repeat(10_000)
  const count = Math.ceil((3 * MAX_WAITING_BYTES) / big.length)

  for (let index = 0; index < count; index += 1) lambent.feed.emit('big', { index, big })
  const text = await within(
    'the notice',
    readText(response, (all) => all.includes('event: dropped\n')),
  )

  assert.ok(text.length < 2 * MAX_WAITING_BYTES, String(text.length))
  const dropped = Number(/"dropped":(\d+)/.exec(text)?.[1])
  const received = text.split('event: big').length - 1
  assert.is(dropped + received, count)
})

events('a quiet stream sends a comment now and then, and ends when the listener stops', async () => {
  await using lambent = await startLambentApi()
  const response = await lambent.request('/events')
  const reading = readText(response, () => false)

  await lambent.clock.advance(15_000)
  lambent.stopping.abort()
  const text = await within('the end', reading)

  assert.ok(text.split(': \n\n').length >= 2, JSON.stringify(text))
})

events('a reader that leaves takes its watch and its timer along', async () => {
  await using lambent = await startLambentApi()
  const timersBefore = lambent.clock.pending
  const response = await lambent.request('/events')
  await within(
    'the connection',
    readText(response, (all) => all.includes(':')),
  )

  lambent.feed.emit('after', {})
  await lambent.clock.advance(1)

  assert.is(lambent.clock.pending, timersBefore)
})

events.run()

const logs = suite('log stream')

logs('follows from now on', async () => {
  await using lambent = await startLambentApi()
  const { journal, clock } = lambent
  const stream = journal.open(STREAM)
  journal.line(stream, clock.nowMs(), 'r-1', 'old')
  await journal.flush()
  const response = await lambent.request('/functions/orders/logs?follow=1')
  const reading = readText(response, (all) => all.includes('new'))
  await lambent.clock.advance(1)

  journal.line(stream, clock.nowMs(), 'r-2', 'new')
  const text = await within('the line', reading)

  assert.not.match(text, 'old')
  assert.match(text, '"requestId":"r-2"')
})

logs('with since it starts with what is stored, and no line comes twice', async () => {
  await using lambent = await startLambentApi()
  const { journal, clock } = lambent
  const stream = journal.open(STREAM)
  const since = clock.nowMs() - 1
  for (let index = 0; index < 5; index += 1) journal.line(stream, clock.nowMs(), 'r-1', `line ${index}`)

  const response = await lambent.request(`/functions/orders/logs?follow=1&since=${since}`)
  for (let index = 5; index < 10; index += 1) journal.line(stream, clock.nowMs(), 'r-1', `line ${index}`)
  const text = await within(
    'all lines',
    readText(response, (all) => all.includes('line 9')),
  )

  const numbers = Array.from(text.matchAll(/line (\d)/g), (match) => Number(match[1]))
  assert.equal(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

logs('of a function that is not there is a 404 at once', async () => {
  await using lambent = await startLambentApi()

  assert.is((await lambent.request('/functions/nobody/logs?follow=1')).status, 404)
})

logs.run()
