import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Invocation } from '../../runtime/environments/invocation.ts'
import { ConcurrencyGate } from '../../runtime/invoke/concurrency.ts'
import { InvocationRun } from '../../runtime/invoke/invocation-run.ts'
import { createLog } from '../../runtime/log.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { version } from '../support/scheduler-world.ts'

const running = suite('a run')

running('a stream that is said to start twice starts once', async () => {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const { journal } = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const echo = version('echo')
  const limits = { functionId: 'echo', reservedConcurrency: null, inFlight: 0 }
  const request = {
    scope: echo.scope,
    functionName: 'echo',
    qualifier: undefined,
    payload: Buffer.from('{}'),
    requestId: 'a',
    trigger: 'stream',
    traceId: '',
    clientContext: '',
    tenantId: '',
    logTail: false,
    streaming: true,
  } as const
  const seen: string[] = []
  const run = new InvocationRun({
    context: { clock, journal, gate: new ConcurrencyGate(10), onRecord: () => {} },
    request,
    sink: {
      result: () => seen.push('result'),
      refused: () => seen.push('refused'),
      streamStarted: ({ contentType }) => seen.push(contentType),
      streamData: (chunk) => seen.push(chunk.toString()),
    },
    target: { version: echo, limits, invokedArn: '', qualifier: '', executedVersion: '$LATEST' },
  })
  const invocation = new Invocation(
    { ...request, version: echo, limits, invokedArn: '', waitsForever: false, observer: run },
    0,
  )

  run.streamStarted(invocation, 'text/plain')
  run.streamStarted(invocation, 'text/html')
  run.streamData(invocation, Buffer.from('body'))

  assert.equal(seen, ['text/plain', 'body'])
})

running.run()
