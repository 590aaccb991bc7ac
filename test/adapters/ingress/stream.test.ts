import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { InvokeSink } from '../../../runtime/invoke/types.ts'
import { PRELUDE_TYPE } from '../../../adapters/ingress/reply.ts'
import { until, within } from '../../support/until.ts'
import { parseAnswer, readUntil, requestText, sendRaw } from '../raw-client.ts'
import { answering, startIngress, success, URL_ID, type IngressHarness, type Script } from './harness.ts'

const STREAMED = { invokeMode: 'response-stream' } as const
const requestTo = (ingress: IngressHarness): string =>
  requestText('GET', `/lambda-url/${URL_ID}/`, [`Host: localhost:${ingress.port}`])
const start = (contentType: string) => ({ contentType, executedVersion: '$LATEST' })
const END = { error: undefined, logTail: undefined }

/** Hands the sink of the one invocation to the test. */
function handOver(): { script: Script; sink: Promise<Required<InvokeSink>> } {
  let give: (sink: Required<InvokeSink>) => void
  const sink = new Promise<Required<InvokeSink>>((resolve) => (give = resolve))
  // The ingress sink of a streaming URL has all methods.
  return { script: (_request, given) => give(given as Required<InvokeSink>), sink }
}

/** Opens a connection with one request on it. */
function open(ingress: IngressHarness): Socket {
  const socket = connect(ingress.port, '127.0.0.1')
  socket.write(requestTo(ingress))
  return socket
}

const streams = suite('ingress streams')

streams('a part arrives before the next one is written', async () => {
  const { script, sink: handed } = handOver()
  await using ingress = await startIngress(script, STREAMED)
  const socket = open(ingress)
  const sink = await within('the invocation', handed)

  sink.streamStarted(start('text/event-stream'))
  const head = await within(
    'the head',
    readUntil(socket, (text) => text.includes('\r\n\r\n')),
  )
  sink.streamData(Buffer.from('first'), () => {})
  const first = await within(
    'the first part',
    readUntil(socket, (text) => text.includes('first')),
  )
  sink.streamData(Buffer.from('second'), () => {})
  const rest = readUntil(socket, (text) => text.endsWith('0\r\n\r\n'))
  sink.streamEnded(END)
  const last = await within('the end', rest)

  const answer = parseAnswer(head + first + last)
  assert.is(answer.status, 200)
  assert.is(answer.headers['content-type'], 'text/event-stream')
  assert.is(answer.headers['x-amzn-requestid'], ingress.invoked[0]?.requestId)
  assert.is(ingress.invoked[0]?.streaming, true)
  assert.is(answer.body, 'firstsecond')
  socket.destroy()
})

streams('status, headers and cookies come from the prelude, wherever it is cut', async () => {
  const whole = Buffer.concat([
    Buffer.from('{"statusCode":202,"headers":{"x-a":"b"},"cookies":["c=1","d=2"]}'),
    Buffer.alloc(8),
    Buffer.from('body'),
  ])
  await using ingress = await startIngress((_request, sink) => {
    sink.streamStarted?.(start(PRELUDE_TYPE))
    for (const byte of whole) sink.streamData?.(Buffer.from([byte]), () => {})
    sink.streamEnded?.(END)
  }, STREAMED)

  const answer = await sendRaw(ingress.port, requestTo(ingress))

  assert.is(answer.status, 202)
  assert.is(answer.headers['x-a'], 'b')
  assert.is(answer.headers['content-type'], 'application/octet-stream')
  assert.is(answer.lines.filter((line) => line.startsWith('set-cookie')).length, 2)
  assert.is(answer.body, 'body')
})

streams('a stream that breaks off before its head is a 502', async () => {
  const broken: Script[] = [
    (_request, sink) => {
      sink.streamStarted?.(start(PRELUDE_TYPE))
      sink.streamData?.(Buffer.from('{"statusCode":200}'), () => {})
      sink.streamEnded?.(END)
    },
    (_request, sink) => {
      sink.streamStarted?.(start(PRELUDE_TYPE))
      sink.streamData?.(Buffer.from('nonsense\0\0\0\0\0\0\0\0rest'), () => {})
      sink.streamData?.(Buffer.from('more'), () => {})
      sink.streamEnded?.(END)
    },
    (_request, sink) => sink.result({ ...success('{"errorType":"E"}'), kind: 'function-error' }),
  ]
  for (const script of broken) {
    await using ingress = await startIngress(script, STREAMED)
    const answer = await sendRaw(ingress.port, requestTo(ingress))
    assert.is(answer.status, 502)
    assert.is(answer.body, 'Internal Server Error')
  }
})

streams('a failure in the middle cuts the connection: the client sees that it is not all', async () => {
  await using ingress = await startIngress((_request, sink) => {
    sink.streamStarted?.(start(''))
    sink.streamData?.(Buffer.from('half'), () => {
      sink.streamEnded?.({ error: Buffer.from('{}'), logTail: undefined })
    })
  }, STREAMED)
  const socket = open(ingress)

  const text = await within(
    'the cut',
    readUntil(socket, () => false),
  )

  assert.match(text, 'half')
  assert.not.match(text, /\r\n0\r\n\r\n$/)
})

streams('a handler that does not stream is answered as ever', async () => {
  await using ingress = await startIngress(answering({ statusCode: 201, body: 'whole' }), STREAMED)

  const answer = await sendRaw(ingress.port, requestTo(ingress))

  assert.is(answer.status, 201)
  assert.is(answer.body, 'whole')
})

streams('a buffered URL of a streaming handler answers in one piece', async () => {
  const payload = Buffer.concat([Buffer.from('{"statusCode":203}'), Buffer.alloc(8), Buffer.from('all')])
  await using ingress = await startIngress((_request, sink) => sink.result(success(payload, PRELUDE_TYPE)))

  const answer = await sendRaw(ingress.port, requestTo(ingress))

  assert.is(answer.status, 203)
  assert.is(answer.headers['content-length'], '3')
  assert.is(answer.body, 'all')
  assert.is(ingress.invoked[0]?.streaming, false)
})

streams('a reader that does not read holds the writer back', async () => {
  const { script, sink: handed } = handOver()
  await using ingress = await startIngress(script, STREAMED)
  const socket = open(ingress)
  socket.pause()
  const sink = await within('the invocation', handed)
  const chunk = Buffer.alloc(65_536, 'x')
  let taken = 0
  sink.streamStarted(start(''))

  // More than any socket buffer holds: some of it cannot have left.
  const written = 512
  for (let count = 0; count < written; count += 1) {
    sink.streamData(chunk, () => (taken += 1))
    await new Promise((resolve) => setImmediate(resolve)) // writes of one turn leave as one
  }
  assert.ok(taken > 0, 'nothing has left')
  assert.ok(taken < written, `${taken} chunks left with nobody reading`)
  let received = 0
  socket.on('data', (data) => (received += data.length))
  socket.resume()
  await until('all chunks have left', () => taken === written)
  sink.streamEnded(END)
  await until('all bytes have arrived', () => received > written * chunk.length)

  socket.destroy()
})

streams('when the client leaves everything counts as taken, and the handler runs on', async () => {
  const { script, sink: handed } = handOver()
  await using ingress = await startIngress(script, STREAMED)
  const socket = open(ingress)
  socket.pause()
  const sink = await within('the invocation', handed)
  const chunk = Buffer.alloc(65_536, 'x')
  let taken = 0
  sink.streamStarted(start(''))
  for (let count = 0; count < 512; count += 1) sink.streamData(chunk, () => (taken += 1))

  socket.destroy()
  await until('what was written is taken', () => taken === 512)
  sink.streamData(chunk, () => (taken += 1))
  sink.streamEnded(END)

  assert.is(taken, 513)
})

streams('a client that leaves a pipelined stream behind holds nobody back', async () => {
  const sinks: Required<InvokeSink>[] = []
  await using ingress = await startIngress(
    // The ingress sink of a streaming URL has all methods.
    (_request, sink) => sinks.push(sink as Required<InvokeSink>),
    STREAMED,
  )
  const socket = connect(ingress.port, '127.0.0.1')
  socket.write(requestTo(ingress) + requestTo(ingress))
  await until('both are invoked', () => sinks.length === 2)
  const [first, second] = sinks
  let taken = false

  second?.streamStarted(start(''))
  second?.streamData(Buffer.from('waits for the first'), () => (taken = true))
  assert.not(taken)
  socket.destroy()
  await until('the second is let go', () => taken)

  first?.result(success('1'))
})

streams('a client that leaves before the answer breaks nothing', async () => {
  const sinks: InvokeSink[] = []
  await using ingress = await startIngress((_request, sink) => {
    if (sinks.push(sink) === 2) sink.result(success('"late"'))
  })
  const socket = open(ingress)
  await until('it is invoked', () => sinks.length === 1)

  socket.destroy()
  await within('the connection’s end', new Promise((resolve) => socket.once('close', resolve)))
  sinks[0]?.result(success('"to nobody"'))
  const after = open(ingress)
  const head = await within(
    'the listener to go on',
    readUntil(after, (text) => text.includes('late')),
  )

  assert.match(head, 'HTTP/1.1 200')
  after.destroy()
})

streams(
  'a content type that no header can hold is a failure of the handler, streamed or collected',
  async () => {
    const broken = 'text/html\nx-injected: 1'
    await using streamed = await startIngress((_request, sink) => {
      sink.streamStarted?.(start(broken))
      sink.streamData?.(Buffer.from('body'), () => {})
      sink.streamEnded?.(END)
    }, STREAMED)
    await using collected = await startIngress((_request, sink) => sink.result(success('body', broken)))

    const answers = [
      await sendRaw(streamed.port, requestTo(streamed)),
      await sendRaw(collected.port, requestTo(collected)),
    ]

    for (const answer of answers) {
      assert.is(answer.status, 502)
      assert.is(answer.headers['x-injected'], undefined)
    }
  },
)

streams.run()
