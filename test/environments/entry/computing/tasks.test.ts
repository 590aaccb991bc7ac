import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FLAG, FRAME, frame } from '../../../../runtime/environments/frames.ts'
import { TestEnvironment } from '../test-engine.ts'
import { EMPTY, LittleEngine } from './little-engine.ts'

const tasks = suite('tasks inside an environment')

const SUMS = `
exports.add = task(async (a, b) => a + b, { cpu: 2, retryOn: RangeError, placementGroup: { name: 'gang' } })
exports.twice = task((n) => n * 2)
exports.echo = task((value) => value)
exports.fails = task(async () => {
  throw Object.assign(new RangeError('too far', { cause: new TypeError('inner') }), { code: 7 })
})
exports.nested = task(async (n) => n === 0 ? 0 : 1 + await get(exports.nested.remote(n - 1)))
`
const handler = (body: string): string => `${SUMS}\nexports.handler = async (event) => { ${body} }`

tasks('a call gives a ref at once, and get its value', async () => {
  await using engine = await LittleEngine.start(
    handler(
      `const ref = exports.add.remote(1, 2)
       return [ref instanceof ObjectRef, ref.id, typeof ref.then, await get(ref)]`,
    ),
  )

  assert.equal(await engine.call(), [true, 'oa-1', 'undefined', 3])
  assert.equal(engine.asked, ['task\n1\n\nadd\n{"cpu":2,"placementGroup":"gang","retryOn":["RangeError"]}\n'])
})

tasks('the manifest names tasks by their exports, with their options', async () => {
  await using engine = await LittleEngine.start(handler(`return 1`))
  const [runner] = engine.runners

  const manifest = JSON.parse(String((await runner?.next(FRAME.initialized))?.body)).manifest as {
    tasks: Record<string, unknown>
  }

  assert.equal(Object.keys(manifest.tasks), ['add', 'twice', 'echo', 'fails', 'nested'])
  assert.equal(manifest.tasks['add'], { cpu: 2, placementGroup: 'gang', retryOn: ['RangeError'] })
  const described = await runner?.invoke(EMPTY, { target: 'describe' })
  assert.equal(JSON.parse(described?.text ?? ''), { ...manifest, actors: {} })
})

tasks('a thousand calls in a row leave in few writes and come back in order', async () => {
  await using engine = await LittleEngine.start(
    handler(
      `const refs = Array.from({ length: 1000 }, (_, n) => exports.twice.remote(n)); return await get(refs)`,
    ),
  )

  assert.equal(
    await engine.call(),
    Array.from({ length: 1000 }, (_, n) => n * 2),
  )
})

tasks('values keep their types on the way and back', async () => {
  await using engine = await LittleEngine.start(
    handler(`const value = new Map([['when', new Date(5)], ['big', 12n], ['floats', new Float32Array([1.5])]])
      const got = await get(exports.echo.remote(value))
      return [got instanceof Map, got.get('when').getTime(), String(got.get('big')),
        got.get('floats') instanceof Float32Array]`),
  )

  assert.equal(await engine.call(), [true, 5, '12', true])
})

tasks('an error comes back as itself, with cause, members, and both stacks', async () => {
  await using engine = await LittleEngine.start(
    handler(`try { await get(exports.fails.remote()) } catch (error) {
      return { isRange: error instanceof RangeError, message: error.message, code: error.code,
        cause: error.cause instanceof TypeError, stack: error.stack } }`),
  )

  const { stack, ...error } = (await engine.call()) as Record<string, unknown>

  assert.equal(error, { isRange: true, message: 'too far', code: 7, cause: true })
  assert.match(String(stack), /RangeError: too far\n {4}at .*index\.js[^]*which was waited for[^]*index\.js/)
  assert.not.match(String(stack), /environment\.cjs/)
})

tasks('get of many rejects with the first error that comes', async () => {
  await using engine = await LittleEngine.start(
    handler(`const never = new Promise(() => {}); exports.slow ??= 0
      try { await get([exports.twice.remote(1), exports.fails.remote(), exports.hang.remote()]) }
      catch (error) { return error.message }`) +
      `\nexports.hang = task(() => new Promise((resolve) => setTimeout(resolve, 60_000)))`,
    { runners: 3 },
  )

  assert.is(await engine.call(), 'too far')
})

tasks('a ref as an argument is replaced by its value; one inside stays a ref', async () => {
  await using engine = await LittleEngine.start(
    handler(`const first = exports.twice.remote(4)
      return [await get(exports.twice.remote(first)), await get(exports.open.remote({ inner: first }))]`) +
      `\nexports.open = task(async ({ inner }) => [inner instanceof ObjectRef, inner.id, await get(inner)])`,
    { runners: 2 },
  )

  assert.equal(await engine.call(), [16, [true, 'oa-1', 8]])
  assert.ok(engine.asked.includes('task\n1\n\ntwice\n\n0:oa-1'))
  assert.ok(engine.asked.includes('pinned oa-1'))
  assert.match(engine.of('get')[0] ?? '', /^get\n\d\noa-1$/)
})

tasks('a task whose argument failed fails with its error', async () => {
  await using engine = await LittleEngine.start(
    handler(
      `try { await get(exports.twice.remote(exports.fails.remote())) }
       catch (error) { return [error.name, error.message] }`,
    ),
  )

  assert.equal(await engine.call(), ['RangeError', 'too far'])
})

tasks('put gives a ref whose value can be had again and again, each time anew', async () => {
  await using engine = await LittleEngine.start(
    handler(`const ref = await put({ list: [1, 2] }); const first = await get(ref); first.list.push(3)
      return [first, await get(ref), await get(exports.echo.remote(ref))]`),
  )

  assert.equal(await engine.call(), [{ list: [1, 2, 3] }, { list: [1, 2] }, { list: [1, 2] }])
})

tasks('wait says what is there and what is not', async () => {
  await using engine = await LittleEngine.start(
    handler(`const refs = [exports.hang.remote(), exports.twice.remote(1), exports.fails.remote()]
      const { ready, pending } = await wait(refs, { count: 2 })
      const later = await wait(refs, { count: 3, timeout: 20 })
      return [ready.map(({ id }) => id), pending.map(({ id }) => id), later.pending.length]`) +
      `\nexports.hang = task(() => new Promise((resolve) => setTimeout(resolve, 60_000)))`,
    { runners: 3 },
  )

  assert.equal(await engine.call(), [['oa-2', 'oa-3'], ['oa-1'], 1])
})

tasks('a wait that is too long ends with a TimeoutError that says what for', async () => {
  await using engine = await LittleEngine.start(
    handler(`try { await get(exports.hang.remote(), { timeout: '20ms' }) } catch (error) {
      return [error instanceof errors.TimeoutError, error.message] }`) +
      `\nexports.hang = task(() => new Promise((resolve) => setTimeout(resolve, 60_000)))`,
  )

  const [isTimeout, message] = (await engine.call()) as [boolean, string]

  assert.ok(isTimeout)
  assert.match(message, /^Waited 20 ms for the result of task "hang" \(oa-1\): it is not there yet\./)
})

tasks('a signal ends a wait with its reason', async () => {
  await using engine = await LittleEngine.start(
    handler(`const controller = new AbortController()
      setTimeout(() => controller.abort(new Error('enough')), 5)
      try { await get([exports.hang.remote()], { signal: controller.signal }) }
      catch (error) { return error.message }`) +
      `\nexports.hang = task(() => new Promise((resolve) => setTimeout(resolve, 60_000)))`,
  )

  assert.is(await engine.call(), 'enough')
})

tasks('cancel aborts the signal of the task, and whoever waits gets TaskCancelled', async () => {
  await using engine = await LittleEngine.start(
    handler(`const ref = exports.polite.remote(); await get(exports.twice.remote(1))
      await cancel(ref, { recursive: false })
      try { await get(ref) } catch (error) { return error instanceof errors.TaskCancelled }`) +
      `\nexports.polite = task(() => new Promise((resolve) => {
        const busy = setInterval(() => {}, 1000)
        context.signal.onabort = () => { clearInterval(busy); console.log('aborted'); resolve() } }))`,
    { runners: 2 },
  )

  assert.is(await engine.call(), true)
  assert.ok(engine.asked.includes('cancel\noa-1\n0\n0'))
  const [runner] = engine.runners
  assert.ok(await runner?.next(FRAME.result, 1))
  assert.match(runner?.rawLog ?? '', /aborted/)
})

tasks('a task knows its run, and its log lines belong to it', async () => {
  await using engine = await LittleEngine.start(
    handler(`return await get(exports.who.remote())`) +
      `\nexports.who = task(async () => { await null; return [context.runId, context.functionName] })`,
  )

  assert.equal(await engine.call(), ['request-1', 'orders'])
})

tasks('a released ref cannot be had any more, and the engine is told', async () => {
  await using engine = await LittleEngine.start(
    handler(`const ref = exports.twice.remote(1); await get(ref)
      { ref.release(); ref.release() }
      try { await get(ref) } catch (error) { return error instanceof errors.ObjectLost }`),
  )

  assert.is(await engine.call(), true)
  assert.equal(engine.of('release'), ['release\noa-1'])
})

tasks('a lost object rejects with the error of the engine', async () => {
  await using engine = await LittleEngine.start(
    handler(`const ref = await put([]); const lost = (await get(exports.give.remote())).lost
      try { await get(lost) } catch (error) { return [error instanceof errors.ObjectLost, error.message] }`) +
      `\nexports.give = task(() => ({ lost: new ObjectRef({ id: 'lost-1', release() {} }) }))`,
  )

  assert.equal(await engine.call(), [true, 'It is gone.'])
})

tasks('what cannot be sent is refused by the argument that holds it', async () => {
  await using engine = await LittleEngine.start(
    handler(
      `try { exports.add.remote(1, { callback: () => {} }) }
       catch (error) { return [error.name, error.path, error.message] }`,
    ),
  )

  const [name, path, message] = (await engine.call()) as string[]

  assert.equal([name, path], ['UnsupportedValue', '[1].callback'])
  assert.match(message ?? '', /^Argument \[1\]\.callback: The function "callback"/)
})

tasks('a result that cannot be sent is the error of the task', async () => {
  await using engine = await LittleEngine.start(
    handler(`try { await get(exports.bad.remote()) } catch (error) { return [error.name, error.message] }`) +
      `\nexports.bad = task(() => ({ when: Promise.resolve(1) }))`,
  )

  assert.equal(await engine.call(), [
    'UnsupportedValue',
    'A promise (await it first) at when cannot be sent to another process.',
  ])
})

tasks('a handler that returns a ref fails with what to do instead', async () => {
  await using engine = await LittleEngine.start(handler(`return { result: exports.add.remote(1, 2) }`))

  const error = (await engine.call()) as { errorType: string; errorMessage: string }

  assert.is(error.errorType, 'UnsupportedValue')
  assert.match(error.errorMessage, /A ref \(oa-1\) has no JSON form.*await get\(ref\)/)
})

tasks('a task that is not exported cannot be called, and says what to do', async () => {
  await using engine = await LittleEngine.start(
    `const hidden = task(function crunch() {})
     exports.handler = async () => { try { hidden.remote() } catch (error) { return error.message } }`,
  )

  assert.match(String(await engine.call()), /not exported.*export const crunch = task/)
})

tasks('a task of another function is called by its name, with only the options of the call', async () => {
  await using engine = await LittleEngine.start(
    handler(`return await get(task('other:live/add').options({ retries: 0 }).remote(1, 2))`),
  )

  assert.is(await engine.call(), 3)
  assert.equal(engine.asked, ['task\n1\nother:live\nadd\n{"retries":0}\n'])
})

tasks('a task that ends the process on a promise that never settles fails instead', async () => {
  await using engine = await LittleEngine.start(
    handler(`try { await get(exports.stuck.remote()) } catch (error) { return error.message }`) +
      `\nexports.stuck = task(() => new Promise(() => {}))`,
  )

  assert.match(String(await engine.call()), /Task "stuck" waits for what can never come/)
})

tasks('a package without a handler runs its tasks; as a handler it is not found', async () => {
  const files = { 'index.js': `exports.one = globalThis[Symbol.for('lambent.sdk.v1')].task(() => 1)` }
  await using runner = await TestEnvironment.start({ files, specialization: { role: 'task' } })
  await using other = await TestEnvironment.start({ files })

  assert.is(runner.initialized.error, undefined)
  assert.equal(runner.initialized.manifest, { tasks: { one: {} }, actors: {} })
  assert.is(other.initialized.error?.errorType, 'Runtime.HandlerNotFound')
})

tasks('code that does not use the SDK tells no manifest', async () => {
  await using environment = await TestEnvironment.start({
    files: { 'index.js': 'exports.handler = async () => 1' },
  })

  assert.is(environment.initialized.manifest, undefined)
})

tasks('a ref that has no items says so', async () => {
  await using engine = await LittleEngine.start(
    handler(
      `try { for await (const ref of await put(1)) return ref } catch (error) { return error.message }`,
    ),
  )

  assert.match(String(await engine.call()), /^Ref oa-1 has no items/)
})

tasks(
  'code that waits lends its processor once it has come to rest, and gets one before it goes on',
  async () => {
    await using engine = await LittleEngine.start(
      handler(
        `const ref = exports.add.remote(1, 2); const sum = await get(ref); return [sum, await get(ref)]`,
      ),
      { lendsCpu: true },
    )

    assert.equal(await engine.call(), [3, 3])
    assert.equal(
      engine.asked.map((one) => one.split('\n').slice(0, 2).join(' ')),
      ['task 1', 'block 1', 'unblock 1'],
    )
  },
)

tasks('a process that lends runs what it waits for in its own place', async () => {
  await using engine = await LittleEngine.start(handler(`return 1`), { lendsCpu: true, runners: 1 })
  const [runner] = engine.runners
  const outer = `task/nested`

  const { packValue, packTask } = await import('../../../../runtime/environments/call-payload.ts')
  const { encode } = await import('../../../../runtime/sdk/codec/encode.ts')
  const args = packTask(packValue([], encode([3]).head), [])
  const id = runner?.post(args, { target: outer })

  const answer = await runner?.answer(id ?? 0)
  assert.not.ok(answer?.isError)
  assert.is(engine.of('block').length, 3)
  assert.is(engine.of('unblock').length, 3)
})

tasks('an answer that nobody waits for is dropped', async () => {
  await using engine = await LittleEngine.start(handler(`return await get(exports.twice.remote(2))`))

  engine.asker.send(frame(FRAME.answer, EMPTY, 77, FLAG.error))

  assert.is(await engine.call(), 4)
})

tasks('a group is asked for by its handle, whose answers are JSON', async () => {
  await using engine = await LittleEngine.start(
    handler(`const group = placementGroup({ bundles: [{ cpu: 1 }], strategy: 'PACK' })
      await group.ready({ timeout: '10s' }); const state = await group.state(); await group.remove()
      return [group.name, state]`),
  )
  engine.intercept = (operation, [, verb], { id }) => {
    if (operation !== 'group') return false
    engine.asker.send(frame(FRAME.answer, verb === 'state' ? '{"state":"ready"}' : '', id))
    return true
  }

  assert.equal(await engine.call(), ['pg-oa-1', { state: 'ready' }])
  assert.equal(engine.asked, [
    'group\n1\ncreate\n{"bundles":[{"cpu":1}],"strategy":"PACK","name":"pg-oa-1"}',
    'group\n1\nready\n{"name":"pg-oa-1"}',
    'group\n1\nstate\n{"name":"pg-oa-1"}',
    'group\n1\nremove\n{"name":"pg-oa-1"}',
  ])
})

tasks('code may ask while it loads', async () => {
  const files = {
    'index.mjs': `const { task, get } = globalThis[Symbol.for('lambent.sdk.v1')]
      const other = await get(task('other/seed').remote())
      export const handler = async () => other`,
  }
  await using environment = await TestEnvironment.spare({ files })
  environment.onFrame = ({ type, id }) => {
    if (type === FRAME.request) environment.send(frame(FRAME.answer, VALUE_42, id))
  }

  const initialized = await environment.specialize()

  assert.is(initialized.error, undefined)
  assert.is((await environment.invoke()).text, '42')
})

/** A value without refs: the number 42. */
const VALUE_42 = Buffer.from([0, 0, 0, 0, 42])

tasks.run()
