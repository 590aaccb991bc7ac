import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../runtime/errors.ts'
import { EventQueue } from '../../runtime/invoke/event-queue.ts'
import type { RunRequest } from '../../runtime/invoke/invocation-run.ts'
import type { InvokeSink } from '../../runtime/invoke/types.ts'
import { createLog } from '../../runtime/log.ts'
import type { Target } from '../../runtime/registry/types.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { version } from '../support/scheduler-world.ts'

const throttled = (): EngineError => new EngineError('throttled', 'Rate Exceeded.')

/** A queue whose runs do nothing until the test refuses them. */
async function world(cachedPayloadBytes?: number) {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const started: { request: RunRequest; sink: InvokeSink }[] = []
  const queue = new EventQueue({
    store,
    clock,
    log,
    start: (request, sink) => started.push({ request, sink }),
    ...(cachedPayloadBytes === undefined ? {} : { cachedPayloadBytes }),
  })
  const accept = (requestId: string, functionName = 'echo', payload = Buffer.from('{}')): Promise<void> =>
    queue.accept(
      {
        scope: { account: '0', region: 'r' },
        functionName,
        qualifier: undefined,
        payload,
        requestId,
        traceId: '',
        clientContext: '',
        tenantId: '',
      },
      (): Target => ({
        version: version(functionName),
        limits: { functionId: functionName, reservedConcurrency: null, inFlight: 0 },
        invokedArn: '',
        qualifier: '',
        executedVersion: '$LATEST',
      }),
    )
  return { clock, queue, accept, started }
}

const queueing = suite('the queue of events')

queueing('ten that are refused together pause their function once, and come back in order', async () => {
  const { clock, accept, started } = await world()
  const ids = Array.from({ length: 10 }, (_, index) => `event-${index}`)
  for (const id of ids) await accept(id)
  const first = started.splice(0)
  assert.is(first.length, 10)

  for (const { sink } of first) sink.refused(throttled())
  await clock.advance(999)
  assert.is(started.length, 0)
  await clock.advance(2)

  assert.equal(
    started.map(({ request }) => request.requestId),
    ids,
  )
})

queueing('a function that is refused again and again is asked less and less often', async () => {
  const { clock, accept, started } = await world()
  await accept('a')

  const waits: number[] = []
  for (let round = 0; round < 4; round++) {
    started.splice(0)[0]?.sink.refused(throttled())
    const sinceMs = clock.monotonicMs()
    while (started.length === 0) await clock.advance(500)
    waits.push(clock.monotonicMs() - sinceMs)
  }

  assert.equal(waits, [1000, 2000, 4000, 8000])
})

queueing('what is put back is kept in memory only while there is room', async () => {
  const payload = Buffer.from('"four"')
  const { clock, accept, started } = await world(payload.length)
  await accept('runs', 'first', payload)
  await accept('fills the cache', 'second', payload)
  started.splice(0)[1]?.sink.refused(throttled())
  await accept('has no room', 'third', payload)
  const [refused] = started.splice(0)
  refused?.sink.refused(throttled())

  await clock.advance(1000)

  const again = new Map(started.map(({ request }) => [request.requestId, request.payload]))
  assert.is(again.get('fills the cache'), payload)
  assert.is.not(again.get('has no room'), refused?.request.payload)
  assert.equal(again.get('has no room'), payload)
})

queueing.run()
