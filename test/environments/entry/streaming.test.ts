import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FRAME, frame, RESULT_META_BYTES } from '../../../runtime/environments/frames.ts'
import { until } from '../../support/until.ts'
import { commonJs, NODES, RUNTIMES, TestEnvironment } from './test-engine.ts'

const WINDOW_BYTES = 1_048_576
const streamify = (body: string): string => `awslambda.streamifyResponse(${body})`

for (const node of NODES) {
  const streaming = suite(`streaming with ${node}`)

  for (const runtime of RUNTIMES) {
    const start = (body: string): Promise<TestEnvironment & { initialized: { streaming: boolean } }> =>
      TestEnvironment.start({ node, files: commonJs(streamify(body)), specialization: { runtime } })

    streaming(`${runtime}: what is written arrives in order, in front of the end`, async () => {
      await using environment = await start(
        `async (event, stream) => { stream.write('a' + event.n); stream.write({ b: 2 }); stream.end(Buffer.from('c')) }`,
      )

      const id = environment.post({ n: 1 })
      const answer = await environment.answer(id)

      assert.ok(environment.initialized.streaming)
      assert.is(String((await environment.next(FRAME.streamStart, id)).body), 'application/octet-stream')
      assert.is(String(environment.streamed(id)), 'a1{"b":2}c')
      assert.is(answer.type, FRAME.streamEnd)
      assert.not.ok(answer.isError)
      assert.is(answer.text, '')
    })

    streaming(`${runtime}: the first write leaves at once`, async () => {
      await using environment = await start(
        `async (event, stream, { signal }) => { stream.write('first')
          await new Promise((done) => { const busy = setInterval(() => {}, 1000)
            signal.onabort = () => { clearInterval(busy); done() } })
          stream.end() }`,
      )

      const id = environment.post({})
      await environment.next(FRAME.streamData, id)
      assert.is(String(environment.streamed(id)), 'first')
      environment.send(frame(FRAME.abort, '', id))

      assert.not.ok((await environment.answer(id)).isError)
    })

    streaming(`${runtime}: the metadata stands in front, cut off by eight zero bytes`, async () => {
      await using environment = await start(
        `async (event, stream) => {
          stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, cookies: ['a=b'] })
          stream.write('body'); stream.end() }`,
      )

      const id = environment.post({})
      await environment.answer(id)

      const type = 'application/vnd.awslambda.http-integration-response'
      assert.is(String((await environment.next(FRAME.streamStart, id)).body), type)
      const expected = `{"statusCode":201,"cookies":["a=b"]}${'\0'.repeat(8)}body`
      assert.is(String(environment.streamed(id)), expected)
    })

    streaming(`${runtime}: the metadata is sent although nothing is written`, async () => {
      await using environment = await start(
        `async (event, stream) => { awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end() }`,
      )

      const id = environment.post({})
      await environment.answer(id)

      assert.is(String(environment.streamed(id)), `{"statusCode":204}${'\0'.repeat(8)}`)
    })

    streaming(`${runtime}: the content type can be set until the first write`, async () => {
      await using environment = await start(
        `async (event, stream) => { stream.setContentType('text/plain'); stream.write('x')
          try { stream.setContentType('text/html') } catch (error) { stream.write(error.name) }
          stream.end() }`,
      )

      const id = environment.post({})
      await environment.answer(id)

      assert.is(String((await environment.next(FRAME.streamStart, id)).body), 'text/plain')
      assert.is(String(environment.streamed(id)), 'xRuntime.InvalidStreamingOperation')
    })

    streaming(`${runtime}: no more than the window is sent ahead of the reader`, async () => {
      await using environment = await start(
        `async (event, stream) => { const chunk = Buffer.alloc(300_000, 1); let full = 0
          for (let n = 0; n < 10; n++) if (!stream.write(chunk)) { full++; await new Promise((go) => stream.once('drain', go)) }
          stream.end(); console.log('waited', full) }`,
      )

      const id = environment.post({})
      await until('the window is full', () => environment.streamed(id).length === WINDOW_BYTES)
      environment.credit(id, 500_000)
      await until('the credit is used', () => environment.streamed(id).length === WINDOW_BYTES + 500_000)
      let creditedBytes = 500_000
      await until('all of it came', () => {
        const receivedBytes = environment.streamed(id).length
        environment.credit(id, receivedBytes - creditedBytes)
        creditedBytes = receivedBytes
        return receivedBytes === 3_000_000
      })
      const answer = await environment.answer(id)

      assert.is(environment.streamed(id).length, 3_000_000)
      assert.not.ok(answer.isError)
      assert.match(environment.rawLog, /waited \d/)
    })

    streaming(`${runtime}: a pipeline of more than the window goes through`, async () => {
      await using environment = await start(
        `async (event, stream) => require('node:stream/promises').pipeline(
          require('node:stream').Readable.from(Array.from({ length: 40 }, (_, n) => Buffer.alloc(50_000, n))),
          stream)`,
      )

      const id = environment.post({})
      let credited = 0
      await until('all of it came', () => {
        const received = environment.streamed(id).length
        environment.credit(id, received - credited)
        credited = received
        return received === 2_000_000
      })

      assert.not.ok((await environment.answer(id)).isError)
      assert.is(environment.streamed(id)[1_999_999], 39)
    })

    streaming(`${runtime}: an error before the first write is an ordinary answer`, async () => {
      await using environment = await start(`async () => { throw new RangeError('early') }`)

      const answer = await environment.invoke()

      assert.is(answer.type, FRAME.result)
      assert.ok(answer.isError)
      assert.match(
        answer.text,
        /^\{"errorType":"RangeError","errorMessage":"early","trace":\["RangeError: early"/,
      )
      assert.match(environment.rawLog, /ERROR\tInvoke Error/)
    })

    streaming(`${runtime}: an error after the first write ends the stream`, async () => {
      await using environment = await start(
        `async (event, stream) => { stream.write('part'); throw new RangeError('midway') }`,
      )

      const answer = await environment.invoke()

      assert.is(answer.type, FRAME.streamEnd)
      assert.ok(answer.isError)
      assert.match(answer.text, /^\{"errorType":"RangeError","errorMessage":"midway"/)
    })

    streaming(`${runtime}: an error after the end is only logged`, async () => {
      await using environment = await start(
        `async (event, stream) => { stream.end('all'); await new Promise((go) => stream.once('finish', go)); throw new RangeError('late') }`,
      )

      const answer = await environment.invoke()

      assert.not.ok(answer.isError)
      assert.match(environment.rawLog, /RangeError/)
    })

    streaming(`${runtime}: a stream that is never ended is an error`, async () => {
      await using environment = await start(`async (event, stream) => { stream.write('part') }`)

      const answer = await environment.invoke()

      assert.ok(answer.isError)
      assert.match(answer.text, /"errorMessage":"Response stream is not finished\."/)
    })

    streaming(`${runtime}: a stream may go on behind the handler`, async () => {
      await using environment = await start(
        `async (event, stream) => { setTimeout(() => stream.end('later'), 20) }`,
      )

      const id = environment.post({})

      assert.not.ok((await environment.answer(id)).isError)
      assert.is(String(environment.streamed(id)), 'later')
    })

    streaming(`${runtime}: a synchronous handler is refused`, async () => {
      await using environment = await start(`(event, stream) => { stream.write('x') }`)

      const answer = await environment.invoke()

      assert.match(answer.text, /"errorMessage":"Streaming does not support non-async handlers\."/)
    })

    streaming(`${runtime}: a return value is ignored with a warning`, async () => {
      await using environment = await start(`async (event, stream) => { stream.end('x'); return 1 }`)

      assert.not.ok((await environment.invoke()).isError)
      assert.match(environment.rawLog, /WARN\tStreaming handlers ignore return values\./)
    })

    streaming(
      `${runtime}: after an abort the rest goes nowhere and the handler comes to its end`,
      async () => {
        await using environment = await start(
          `async (event, stream) => { for (let n = 0; n < 50; n++) await new Promise((go) => stream.write(Buffer.alloc(100_000), go)); stream.end() }`,
        )

        const id = environment.post({})
        await until('the window is full', () => environment.streamed(id).length === WINDOW_BYTES)
        environment.send(frame(FRAME.abort, '', id))

        assert.not.ok((await environment.answer(id)).isError)
        assert.is(environment.streamed(id).length, WINDOW_BYTES)
      },
    )

    streaming(`${runtime}: the next invocation starts behind the stream's end`, async () => {
      await using environment = await start(
        `async (event, stream) => { stream.write(event.n + ''); await new Promise((go) => setTimeout(go, 10)); stream.end('.') }`,
      )

      const ids = [environment.post({ n: 1 }), environment.post({ n: 2 })]
      for (const id of ids) await environment.answer(id)

      const order = environment.frames.filter(({ id }) => id > 0).map(({ type, id }) => `${type}:${id}`)
      assert.is(order.join(' '), '36:1 37:1 37:1 38:1 36:2 37:2 37:2 38:2')
      assert.ok(
        environment.frames.every(({ type, body }) => type !== 38 || body.length === RESULT_META_BYTES),
      )
    })
  }

  streaming('the global can be hidden', async () => {
    const specialization = { environment: { AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: '1' } }
    const files = commonJs('async () => typeof awslambda')
    await using environment = await TestEnvironment.start({ node, files, specialization })

    assert.is((await environment.invoke()).text, '"undefined"')
  })

  streaming('the invoke store knows the invocation and keeps values for it', async () => {
    const body = `async (event) => { const store = awslambda.InvokeStore
      if (event.set) store.set('mine', event.set)
      return [store.getRequestId(), store.getXRayTraceId() ?? null, store.get('mine') ?? null] }`
    await using environment = await TestEnvironment.start({ node, files: commonJs(body) })

    const first = await environment.invoke({ set: 5 }, { traceId: 'Root=1' })
    const second = await environment.invoke({})

    assert.is(first.text, '["request-1","Root=1",5]')
    assert.is(second.text, '["request-2",null,null]')
  })

  streaming.run()
}
