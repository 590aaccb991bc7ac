import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../../support/until.ts'
import { commonJs, NODES, RUNTIMES, TestEnvironment } from './test-engine.ts'

const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'

for (const node of NODES) {
  const logging = suite(`logging with ${node}`)

  for (const runtime of RUNTIMES) {
    const start = (body: string, specialization = {}): Promise<TestEnvironment> =>
      TestEnvironment.start({ node, files: commonJs(body), specialization: { runtime, ...specialization } })

    /** Parsed lines of an environment that logs JSON, without their times. */
    const jsonLines = async (body: string, meta = {}, specialization = {}): Promise<unknown[]> => {
      await using environment = await start(body, { logFormat: 'JSON', logLevel: 'TRACE', ...specialization })
      await environment.invoke({}, meta)
      return environment.logLines.map((line) => {
        const { timestamp, ...rest } = JSON.parse(line) as { timestamp: string } // what is tested
        assert.match(timestamp, new RegExp(`^${TIME}$`))
        return rest
      })
    }

    logging(`${runtime}: text records carry time, request id and level`, async () => {
      await using environment = await start(
        `async () => { console.log('a %s', 1, { b: [2] }); console.info('i'); console.warn('w'); console.error('e')
          console.debug('d'); console.trace('t'); console.fatal('f') }`,
      )

      await environment.invoke()

      const expected = [
        'INFO\ta 1 { b: [ 2 ] }',
        'INFO\ti',
        'WARN\tw',
        'ERROR\te',
        'DEBUG\td',
        'TRACE\tt',
        'FATAL\tf',
      ]
      assert.equal(
        environment.logLines.map((line) => line.replace(new RegExp(`^${TIME}\t`), '')),
        expected.map((line) => `request-1\t${line}`),
      )
    })

    logging(`${runtime}: a line feed inside a record becomes a carriage return`, async () => {
      await using environment = await start(`async () => console.log('one\\ntwo\\r\\nthree')`)

      await environment.invoke()

      assert.match(environment.rawLog, /\tone\rtwo\r\rthree\n$/)
    })

    logging(`${runtime}: outside of an invocation the id says so`, async () => {
      const files = { 'index.js': `console.log('loading'); exports.handler = async () => {}` }
      await using environment = await TestEnvironment.start({ node, files, specialization: { runtime } })

      const id = runtime === 'nodejs24.x' ? '-' : 'undefined'
      assert.match(environment.rawLog, new RegExp(`^${TIME}\t${id}\tINFO\tloading\n$`))
      assert.is(environment.initialized.logBytes, Buffer.byteLength(environment.rawLog))
    })

    logging(`${runtime}: one marker stands before the first bytes of an invocation that logs`, async () => {
      await using environment = await start(
        `async (event) => { for (const line of event) process.stdout.write(line + '\\n') }`,
      )

      await environment.invoke(['a', 'b'])
      await environment.invoke([])
      const answer = await environment.invoke(['c'])

      assert.is(environment.rawLog, '\0Srequest-1\na\nb\n\0Srequest-3\nc\n')
      assert.is(answer.meta.logBytes, Buffer.byteLength(environment.rawLog))
    })

    logging(`${runtime}: a marker never stands inside a line`, async () => {
      await using environment = await start(`async () => { process.stdout.write('unfinished') }`)

      await environment.invoke()
      const answer = await environment.invoke()

      assert.is(environment.rawLog, '\0Srequest-1\nunfinished\n\0Srequest-2\nunfinished')
      assert.is(answer.meta.logBytes, Buffer.byteLength(environment.rawLog))
    })

    logging(`${runtime}: streams and descriptors go the same way, unformatted and counted`, async () => {
      await using environment = await start(
        `async () => { const fs = require('node:fs')
          process.stdout.write('stdout\\n'); process.stderr.write(Buffer.from('stderr\\n'))
          fs.writeSync(1, 'direct\\n')
          await new Promise((done) => fs.write(1, 'later\\n', done))
          await new Promise((done) => process.stdout.write('c', 'utf8', done))
          const { bytesWritten } = await require('node:util').promisify(fs.write)(2, Buffer.from('!\\n'))
          return bytesWritten }`,
      )

      const answer = await environment.invoke()

      assert.is(answer.text, '2')
      assert.is(environment.rawLog, '\0Srequest-1\nstdout\nstderr\ndirect\nlater\nc!\n')
      assert.is(answer.meta.logBytes, Buffer.byteLength(environment.rawLog))
    })

    logging(
      `${runtime}: text written straight to the descriptor is marked although nothing else is`,
      async () => {
        await using environment = await start(`async () => { require('node:fs').writeSync(1, 'pino\\n') }`)

        await environment.invoke()

        assert.is(environment.rawLog, '\0Srequest-1\npino\n')
      },
    )

    logging(`${runtime}: more than the pipe holds is written whole`, async () => {
      await using environment = await start(
        `async () => { process.stdout.on('error', () => {}); console.log('x'.repeat(3_000_000)); console.log('end') }`,
      )

      const answer = await environment.invoke()
      await until('all of it came', () => environment.rawLog.endsWith('end\n'))

      assert.is(answer.meta.logBytes, Buffer.byteLength(environment.rawLog))
    })

    logging(`${runtime}: JSON records carry a message, and an object as it is`, async () => {
      const body = `async () => { console.log('text'); console.log({ a: 1 }); console.log('n %d', 5, true) }`

      assert.equal(await jsonLines(body), [
        { level: 'INFO', requestId: 'request-1', message: 'text' },
        { level: 'INFO', requestId: 'request-1', message: { a: 1 } },
        { level: 'INFO', requestId: 'request-1', message: 'n 5 true' },
      ])
    })

    logging(`${runtime}: JSON records name the tenant`, async () => {
      assert.equal(await jsonLines(`async () => console.log('x')`, { tenantId: 'blue' }), [
        { level: 'INFO', requestId: 'request-1', tenantId: 'blue', message: 'x' },
      ])
    })

    logging(`${runtime}: JSON records take errors apart`, async () => {
      const body = `async () => { const e = Object.assign(new TypeError('bad'), { code: 7, stack: 'TypeError: bad\\n    at x' })
        console.error(e); console.error('failed:', e) }`

      assert.equal(await jsonLines(body), [
        {
          level: 'ERROR',
          requestId: 'request-1',
          message: {
            errorType: 'TypeError',
            errorMessage: 'bad',
            stackTrace: ['TypeError: bad', '    at x'],
            code: 7,
          },
        },
        {
          level: 'ERROR',
          requestId: 'request-1',
          message: 'failed: TypeError: bad\r    at x {\r  code: 7\r}'.replaceAll('\r', '\n'),
          errorType: 'TypeError',
          errorMessage: 'bad',
          stackTrace: ['TypeError: bad', '    at x'],
        },
      ])
    })

    logging(`${runtime}: what has no JSON form is shown as text`, async () => {
      const body = `async () => { const a = { n: 1n }; console.log(a) }`

      assert.equal(await jsonLines(body), [{ level: 'INFO', requestId: 'request-1', message: '{ n: 1n }' }])
    })

    logging(`${runtime}: records below the level are dropped`, async () => {
      const body = `async () => { console.debug('d'); console.info('i'); console.warn('w'); console.error('e') }`

      const levels = (await jsonLines(body, {}, { logLevel: 'WARN' })).map(
        (line) => (line as { level: string }).level,
      )

      assert.equal(levels, ['WARN', 'ERROR'])
    })

    logging(`${runtime}: a failed invocation logs its error as JSON`, async () => {
      const [line] = await jsonLines(`async () => { throw new RangeError('no') }`)

      const { level, message } = line as { level: string; message: { errorType: string } }
      assert.is(level, 'ERROR')
      assert.is(message.errorType, 'RangeError')
    })
  }

  logging('concurrent invocations each log under their own id and marker', async () => {
    const body = `async (event) => { console.log(event.name, 1); await new Promise((go) => setTimeout(go, event.ms)); console.log(event.name, 2) }`
    const specialization = { concurrency: 2 }
    await using environment = await TestEnvironment.start({ node, files: commonJs(body), specialization })

    const ids = [environment.post({ name: 'slow', ms: 60 }), environment.post({ name: 'fast', ms: 10 })]
    for (const id of ids) await environment.answer(id)

    const shown = environment.rawLog.replaceAll(new RegExp(`${TIME}\t`, 'g'), '').replaceAll('\tINFO\t', ' ')
    assert.is(
      shown,
      '\0Srequest-1\nrequest-1 slow 1\n\0Srequest-2\nrequest-2 fast 1\nrequest-2 fast 2\n\0Srequest-1\nrequest-1 slow 2\n',
    )
  })

  logging.run()
}
