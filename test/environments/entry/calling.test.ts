import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commonJs, NODES, RUNTIMES, TestEnvironment, type Answer } from './test-engine.ts'

const OLD = 'nodejs22.x'
const NEW = 'nodejs24.x'

for (const node of NODES) {
  const calling = suite(`calling with ${node}`)

  const start = (runtime: string, body: string): Promise<TestEnvironment> =>
    TestEnvironment.start({ node, files: commonJs(body), specialization: { runtime } })

  const answerOf = async (runtime: string, body: string, event: unknown = {}): Promise<Answer> => {
    await using environment = await start(runtime, body)
    return await environment.invoke(event)
  }

  /** Error JSON, checked to be marked as one. */
  const errorOf = (answer: Answer): Record<string, unknown> => {
    assert.ok(answer.isError, answer.text)
    return JSON.parse(answer.text) as Record<string, unknown> // error JSON is an object
  }

  for (const runtime of RUNTIMES) {
    const answers = (states: string, body: string, text: string, event: unknown = { n: 1 }): void =>
      calling(`${runtime}: ${states}`, async () => {
        const answer = await answerOf(runtime, body, event)
        assert.is(answer.text, text)
        assert.not.ok(answer.isError)
      })

    answers('what a promise becomes is the result', 'async (event) => ({ got: event.n })', '{"got":1}')
    answers('no result is null', 'async () => {}', 'null')
    answers('a result without a JSON form is null', 'async () => () => {}', 'null')
    answers('an empty payload is an empty object', 'async (event) => event', '{}', Buffer.alloc(0))
    answers('text beyond ASCII survives', 'async (event) => event', '"zażółć 🎈"', 'zażółć 🎈')
    answers('any thenable counts as a promise', '() => ({ then: (done) => done(7) })', '7')

    calling(`${runtime}: a payload that is not JSON never reaches the handler`, async () => {
      await using environment = await start(runtime, `async () => console.log('called')`)

      const bad = environment.post(Buffer.from('{"a":'))
      const binary = environment.post(Buffer.from([0x22, 0x6e, 0x87, 0x22]))
      await environment.invoke()

      assert.match(String((await environment.next(40, bad)).body), /JSON/)
      assert.is(
        String((await environment.next(40, binary)).body),
        'Invalid UTF-8 start byte 0x87 at line 1, column 3',
      )
      assert.is(environment.logLines.length, 1)
    })

    calling(`${runtime}: a thrown error is the answer and the environment goes on`, async () => {
      const body = `async (event) => { if (event.fail) throw new RangeError('too \\u007f far'); return 'fine' }`
      await using environment = await start(runtime, body)

      const error = errorOf(await environment.invoke({ fail: true }))
      const after = await environment.invoke({})

      assert.is(error['errorType'], 'RangeError')
      assert.is(error['errorMessage'], 'too %7F far')
      const trace = error['trace'] as string[] // lines
      assert.is(trace[0], 'RangeError: too %7F far')
      assert.match(trace[1] ?? '', /^ {4}at exports\.handler \(.*\/task\/index\.js:1:\d+\)$/)
      assert.not.match(trace.join('\n'), /environment\.cjs/)
      assert.is(Object.keys(error).join(), 'errorType,errorMessage,trace')
      assert.is(after.text, '"fine"')
      assert.match(
        environment.rawLog,
        /\trequest-1\tERROR\tInvoke Error \t\{"errorType":"RangeError","errorMessage":"too \u007f far"/,
      )
    })

    calling(`${runtime}: an error thrown before the first await is the answer`, async () => {
      const error = errorOf(await answerOf(runtime, `() => { throw new TypeError('sync') }`))

      assert.is(error['errorType'], 'TypeError')
      assert.is(error['errorMessage'], 'sync')
    })

    calling(`${runtime}: a thrown text has its type as errorType and no trace`, async () => {
      const answer = await answerOf(runtime, `async () => { throw 'just text' }`)

      assert.ok(answer.isError)
      assert.is(answer.text, '{"errorType":"string","errorMessage":"just text","trace":[]}')
    })

    calling(`${runtime}: a thrown object is shown as its text`, async () => {
      const answer = await answerOf(runtime, `async () => { throw { code: 1 } }`)

      assert.is(answer.text, '{"errorType":"object","errorMessage":"[object Object]","trace":[]}')
    })

    calling(`${runtime}: an error that cannot be read is still an answer`, async () => {
      const body = `async () => { throw Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } }) }`

      const error = errorOf(await answerOf(runtime, body))

      assert.is(error['errorType'], 'handled')
      assert.match(String(error['errorMessage']), /^callback called with Error argument, but/)
    })

    calling(`${runtime}: process.exit ends the environment with its code and all of its log`, async () => {
      await using environment = await start(
        runtime,
        `async () => { console.log('x'.repeat(200_000)); process.stdout.write('last'); process.exit(7) }`,
      )

      environment.post({})

      assert.equal(await environment.exited, { code: 7, signal: null })
      assert.ok(environment.rawLog.endsWith('x\nlast'))
    })

    calling(`${runtime}: the context says where and for how long the code runs`, async () => {
      const body = `async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis(),
        runId: context.runId, aborted: context.signal.aborted, trace: process.env._X_AMZN_TRACE_ID })`
      await using environment = await start(runtime, body)
      const deadlineMs = Date.now() + 60_000

      const answer = await environment.invoke(
        {},
        {
          deadlineMs,
          traceId: 'Root=1-2-3',
          tenantId: 'blue',
          clientContext: Buffer.from('{"custom":{"a":1}}').toString('base64'),
        },
      )

      const { left, ...rest } = JSON.parse(answer.text) as Record<string, unknown> // an object
      assert.ok(Number(left) > 50_000 && Number(left) <= 60_000)
      assert.equal(rest, {
        functionName: 'orders',
        functionVersion: '$LATEST',
        invokedFunctionArn: 'arn:aws:lambda:eu-west-1:000000000000:function:orders',
        memoryLimitInMB: '128',
        awsRequestId: 'request-1',
        logGroupName: '/aws/lambda/orders',
        logStreamName: '2026/01/02/[$LATEST]0123',
        clientContext: { custom: { a: 1 } },
        tenantId: 'blue',
        ...(runtime === NEW ? { xRayTraceId: 'Root=1-2-3' } : { callbackWaitsForEmptyEventLoop: true }),
        runId: 'request-1',
        aborted: false,
        trace: 'Root=1-2-3',
      })
    })

    calling(`${runtime}: the context's own members are AWS's, in AWS's order`, async () => {
      const shared = ['clientContext', 'identity', 'invokedFunctionArn', 'awsRequestId', 'tenantId']
      const facts = ['memoryLimitInMB', 'logGroupName', 'logStreamName']
      const completion = ['callbackWaitsForEmptyEventLoop', 'succeed', 'fail', 'done']
      const names = ['functionName', 'functionVersion']
      const remaining = 'getRemainingTimeInMillis'

      const answer = await answerOf(runtime, 'async (event, context) => Reflect.ownKeys(context)')

      const expected =
        runtime === NEW
          ? [...shared, 'xRayTraceId', remaining, ...names, ...facts]
          : [...completion, ...names.toReversed(), ...facts, ...shared, remaining]
      assert.equal(JSON.parse(answer.text), expected)
    })

    calling(`${runtime}: without a time limit the remaining time is the longest timer`, async () => {
      const answer = await answerOf(runtime, 'async (event, context) => context.getRemainingTimeInMillis()')

      assert.is(answer.text, '2147483647')
    })

    calling(`${runtime}: the signal aborts at the deadline`, async () => {
      const body = `(event, { signal }) => new Promise((done) => {
        const busy = setInterval(() => {}, 1000)
        signal.onabort = () => { clearInterval(busy); done(signal.reason.name) } })`
      await using environment = await start(runtime, body)

      const answer = await environment.invoke({}, { deadlineMs: Date.now() + 50 })

      assert.is(answer.text, '"TimeoutError"')
    })
  }

  const OLD_ANSWERS: [states: string, body: string, text: string][] = [
    ['a callback answers', `(event, context, callback) => callback(null, { ok: 1 })`, '{"ok":1}'],
    ['context.succeed answers', `(event, context) => context.succeed('s')`, '"s"'],
    ['context.done answers', `(event, context) => context.done(null, 'd')`, '"d"'],
    ['a synchronous value counts for nothing', `() => 'value'`, 'null'],
    [
      'only the first of two answers counts',
      `(event, context, callback) => { context.done(null, 1); callback(null, 2) }`,
      '1',
    ],
    [
      'without any answer it is null once nothing is left to do',
      `() => { setTimeout(() => {}, 20) }`,
      'null',
    ],
    ['a promise that nothing can settle is null', `() => new Promise(() => {})`, 'null'],
    [
      'a callback after a wait answers',
      `(event, context, callback) => { setTimeout(callback, 10, null, 'late') }`,
      '"late"',
    ],
  ]
  for (const [states, body, text] of OLD_ANSWERS)
    calling(`${OLD}: ${states}`, async () => {
      const answer = await answerOf(OLD, body)

      assert.is(answer.text, text)
      assert.not.ok(answer.isError)
    })

  const OLD_FAILURES: [states: string, body: string, text: string][] = [
    [
      'a callback with an error fails',
      `(event, context, callback) => callback('no')`,
      '{"errorType":"string","errorMessage":"no","trace":[]}',
    ],
    [
      'context.fail fails',
      `(event, context) => context.fail('no')`,
      '{"errorType":"string","errorMessage":"no","trace":[]}',
    ],
    [
      'context.fail without an error is handled',
      `(event, context) => context.fail()`,
      '{"errorType":"string","errorMessage":"handled","trace":[]}',
    ],
    [
      'what looks like an error counts as one',
      `async () => { throw { name: 'Odd', message: 'm', stack: 'a\\nb' } }`,
      '{"errorType":"Odd","errorMessage":"m","trace":["a","b"]}',
    ],
  ]
  for (const [states, body, text] of OLD_FAILURES)
    calling(`${OLD}: ${states}`, async () => {
      const answer = await answerOf(OLD, body)

      assert.is(answer.text, text)
      assert.ok(answer.isError)
    })

  calling(`${OLD}: a callback's answer waits until nothing is left to do`, async () => {
    await using environment = await start(
      OLD,
      `(event, context, callback) => { setTimeout(() => console.log('behind'), 50); callback(null, 'first') }`,
    )

    const answer = await environment.invoke()

    assert.is(answer.text, '"first"')
    assert.match(environment.rawLog, /behind/)
    assert.is(answer.meta.logBytes, Buffer.byteLength(environment.rawLog))
  })

  calling(`${OLD}: callbackWaitsForEmptyEventLoop = false answers at once`, async () => {
    await using environment = await start(
      OLD,
      `(event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false
        setInterval(() => {}, 1000); callback(null, context.callbackWaitsForEmptyEventLoop) }`,
    )

    assert.is((await environment.invoke()).text, 'false')
    assert.is((await environment.invoke()).text, 'false')
  })

  calling(`${OLD}: an uncaught exception is the answer and ends the environment with 129`, async () => {
    await using environment = await start(
      OLD,
      `() => new Promise(() => { setTimeout(() => { throw new RangeError('later') }, 5) })`,
    )

    const answer = await environment.invoke()

    assert.is(errorOf(answer)['errorType'], 'RangeError')
    assert.ok(answer.isFatal)
    assert.equal(await environment.exited, { code: 129, signal: null })
    assert.match(environment.rawLog, /ERROR\tUncaught Exception \t\{"errorType":"RangeError"/)
  })

  calling(`${OLD}: an unhandled rejection is the answer and ends the environment with 128`, async () => {
    await using environment = await start(
      OLD,
      `() => { Promise.reject(new RangeError('nobody')); return new Promise((done) => setTimeout(done, 1000)) }`,
    )

    const answer = await environment.invoke()

    const error = errorOf(answer)
    assert.is(error['errorType'], 'Runtime.UnhandledPromiseRejection')
    assert.is(error['errorMessage'], 'RangeError: nobody')
    assert.ok(answer.isFatal)
    assert.equal(await environment.exited, { code: 128, signal: null })
    assert.match(environment.rawLog, /"reason":\{"errorType":"RangeError","errorMessage":"nobody"/)
  })

  calling(`${OLD}: an unserialisable result fails`, async () => {
    const error = errorOf(await answerOf(OLD, `async () => { const a = {}; a.a = a; return a }`))

    assert.is(error['errorType'], 'Error')
    assert.is(error['errorMessage'], 'Unable to stringify response body')
  })

  calling(`${NEW}: an unserialisable result fails`, async () => {
    const error = errorOf(await answerOf(NEW, `async () => 1n`))

    assert.is(error['errorType'], 'Runtime.JSONStringifyError')
    assert.is(error['errorMessage'], 'Unable to stringify response body')
  })

  calling(`${NEW}: the value of a synchronous handler is the result`, async () => {
    assert.is((await answerOf(NEW, `(event) => event.n + 1`, { n: 1 })).text, '2')
  })

  calling(`${NEW}: what only looks like an error is no error`, async () => {
    const answer = await answerOf(NEW, `async () => { throw { name: 'Odd', message: 'm', stack: 'a' } }`)

    assert.is(errorOf(answer)['errorType'], 'object')
  })

  for (const [states, body] of [
    [
      'an uncaught exception',
      `() => new Promise(() => { setTimeout(() => { throw new RangeError('later') }, 5) })`,
    ],
    ['an unhandled rejection', `async () => { Promise.reject(new RangeError('later')); return 'too late' }`],
  ] as const)
    calling(`${NEW}: ${states} ends the process as Node.js does`, async () => {
      await using environment = await start(NEW, body)

      environment.post({})

      assert.equal(await environment.exited, { code: 1, signal: null })
      assert.match(environment.rawLog, /^\0Srequest-1\n[^]*RangeError: later\n {4}at /)
      assert.not.ok(environment.frames.some((frame) => frame.type === 35))
    })

  calling(`${NEW}: a promise that nothing can settle ends the process with 0`, async () => {
    await using environment = await start(NEW, `() => new Promise(() => {})`)

    environment.post({})

    assert.equal(await environment.exited, { code: 0, signal: null })
  })

  calling.run()
}
