import { writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FRAME, frame } from '../../../runtime/environments/frames.ts'
import { until } from '../../support/until.ts'
import { commonJs, NODES, TestEnvironment } from './test-engine.ts'

/** A handler that runs until a file appears, so that a test decides when. */
const UNTIL_FILE = `async (event) => { const fs = require('node:fs'); console.log('started', event.n)
  while (!fs.existsSync('release')) await new Promise((go) => setTimeout(go, 5)); return event.n }`

for (const node of NODES) {
  const lifecycle = suite(`life cycle with ${node}`)

  const start = (body: string, specialization = {}): Promise<TestEnvironment> =>
    TestEnvironment.start({ node, files: commonJs(body), specialization })
  const release = (environment: TestEnvironment): void => writeFileSync(`${environment.taskRoot}/release`, '')

  lifecycle('an environment introduces itself before it is ready', async () => {
    await using environment = await TestEnvironment.spare({ node, files: {} })

    assert.equal(
      environment.frames.map(({ type }) => type),
      [FRAME.hello, FRAME.ready],
    )
    const { environmentId, token, pid, nodeVersion } = environment.hello
    assert.equal([environmentId, token], ['environment-1', 'token-1'])
    assert.type(pid, 'number')
    assert.match(nodeVersion, /^v\d+\./)
  })

  lifecycle('the code sees exactly the variables it was given, and its folder', async () => {
    await using environment = await start('async () => [process.env, process.cwd()]', {
      environment: { GREETING: 'hello' },
    })

    const [variables, folder] = JSON.parse((await environment.invoke()).text) as unknown[] // what it returned
    assert.equal(variables, { AWS_REGION: 'eu-west-1', GREETING: 'hello' })
    assert.is(folder, environment.taskRoot)
  })

  lifecycle('invocations sent ahead run one after the other', async () => {
    await using environment = await start(
      `async (event) => { console.log('+' + event); await new Promise((go) => setTimeout(go, 5)); console.log('-' + event); return event }`,
    )

    const ids = [1, 2, 3].map((n) => environment.post(n))
    const answers = []
    for (const id of ids) answers.push((await environment.answer(id)).text)

    assert.equal(answers, ['1', '2', '3'])
    const shown = environment.logLines.map((line) => line.split('\t').at(-1))
    assert.equal(shown, ['+1', '-1', '+2', '-2', '+3', '-3'])
  })

  lifecycle('a recalled invocation never runs, a started one does', async () => {
    await using environment = await start(UNTIL_FILE)
    const [first, second, third] = [1, 2, 3].map((n) => environment.post({ n })) as [number, number, number]
    await until('the first has started', () => environment.rawLog.includes('started 1'))

    environment.send(frame(FRAME.recall, '', second))
    environment.send(frame(FRAME.recall, '', first))
    await environment.next(FRAME.recalled, second)
    release(environment)
    await environment.answer(third)

    assert.is((await environment.answer(first)).text, '1')
    const about = environment.frames.filter(({ id }) => id > 0).map(({ type, id }) => `${type}:${id}`)
    assert.is(about.join(' '), '39:2 35:1 35:3')
    assert.not.match(environment.rawLog, /started 2/)
  })

  lifecycle('an answer has left before the next handler starts', async () => {
    await using environment = await start(
      `async (event) => { if (event.die) process.exit(3); return 'x'.repeat(2_000_000) }`,
    )

    const first = environment.post({})
    environment.post({ die: true })

    assert.is((await environment.answer(first)).text.length, 2_000_002)
    assert.equal(await environment.exited, { code: 3, signal: null })
  })

  lifecycle('with a concurrency, as many run at once and no more', async () => {
    await using environment = await start(UNTIL_FILE, { concurrency: 2 })

    const ids = [1, 2, 3].map((n) => environment.post({ n }))
    await until('two have started', () => environment.logLines.length === 2)
    release(environment)
    for (const id of ids) await environment.answer(id)

    assert.equal(
      environment.logLines.map((line) => line.split('\t').at(-1)),
      ['started 1', 'started 2', 'started 3'],
    )
    assert.is(environment.logLines.length, 3)
  })

  lifecycle('concurrent invocations share no trace id through the variables', async () => {
    await using environment = await start(
      `async (event, c) => [process.env._X_AMZN_TRACE_ID ?? null, c.xRayTraceId]`,
      {
        concurrency: 2,
      },
    )

    assert.is((await environment.invoke({}, { traceId: 'Root=1' })).text, '[null,"Root=1"]')
  })

  lifecycle('an abort reaches the signal of its invocation', async () => {
    await using environment = await start(
      `(event, { signal }) => new Promise((done) => { const busy = setInterval(() => {}, 1000)
        console.log('waiting')
        signal.addEventListener('abort', () => { clearInterval(busy); done(signal.reason.name) }) })`,
    )

    const id = environment.post({})
    await until('it waits', () => environment.rawLog.includes('waiting'))
    environment.send(frame(FRAME.abort, '', id))

    assert.is((await environment.answer(id)).text, '"AbortError"')
    assert.is((await environment.next(FRAME.aborted)).id, id)
  })

  lifecycle('invocations sent before the code is loaded run after it', async () => {
    const files = {
      'index.mjs': `await new Promise((go) => setTimeout(go, 30))\nexport const handler = async (event) => event`,
    }
    await using environment = await TestEnvironment.spare({ node, files })

    const loaded = environment.specialize()
    const id = environment.post('early')
    await loaded

    assert.is((await environment.answer(id)).text, '"early"')
  })

  lifecycle('the process ends with 0 when its engine is gone', async () => {
    await using environment = await start(UNTIL_FILE)
    environment.post({ n: 1 })
    await until('it runs', () => environment.rawLog.includes('started'))

    environment.hangUp()

    assert.equal(await environment.exited, { code: 0, signal: null })
  })

  lifecycle('a shutdown ends the process with 0', async () => {
    await using environment = await start('async () => 1')

    environment.send(frame(FRAME.shutdown))

    assert.equal(await environment.exited, { code: 0, signal: null })
  })

  lifecycle('a shutdown lets the code clean up', async () => {
    const files = {
      'index.js': `process.on('SIGTERM', async () => { await new Promise((go) => setTimeout(go, 20)); console.log('cleaned up') })
        exports.handler = async () => 1`,
    }
    await using environment = await TestEnvironment.start({ node, files })

    environment.send(frame(FRAME.shutdown))

    assert.equal(await environment.exited, { code: 0, signal: null })
    assert.match(environment.rawLog, /cleaned up\n$/)
  })

  lifecycle('SIGUSR1 opens no debugger', async () => {
    await using environment = await start(`async () => require('node:inspector').url() ?? null`)

    environment.signal('SIGUSR1')

    assert.is((await environment.invoke()).text, 'null')
    assert.is((await environment.invoke()).text, 'null')
    assert.is(environment.rawLog, '')
  })

  lifecycle('a frame that cannot be ends the process and says why', async () => {
    await using environment = await start('async () => 1')

    environment.send(Buffer.alloc(16, 0xff))

    assert.equal(await environment.exited, { code: 1, signal: null })
    assert.match(
      environment.rawLog,
      /the connection to the engine broke: RangeError: A frame of 4294967295 bytes/,
    )
  })

  lifecycle('answers say how long it took and how much memory there was', async () => {
    await using environment = await start(`() => new Promise((done) => setTimeout(done, 30))`)

    const { meta } = await environment.invoke()

    assert.ok(meta.durationMs >= 29 && meta.durationMs < 2000)
    assert.ok(meta.maxRssKb > 10_000)
  })

  lifecycle('code that replaces timers, Date and process.exit does not stop the environment', async () => {
    const files = {
      'index.js': `globalThis.setImmediate = globalThis.setTimeout = () => { throw new Error('fake') }
        Date.now = () => 0; performance.now = () => 0; process.exit = () => {}
        exports.handler = async (event, context) => context.getRemainingTimeInMillis() > 0`,
    }
    await using environment = await TestEnvironment.start({ node, files })

    assert.is((await environment.invoke({}, { deadlineMs: Date.now() + 60_000 })).text, 'true')
    environment.hangUp()
    assert.equal(await environment.exited, { code: 0, signal: null })
  })

  lifecycle.run()
}
