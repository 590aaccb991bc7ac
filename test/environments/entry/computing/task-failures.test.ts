import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packTask, packValue, unpackLed } from '../../../../runtime/environments/call-payload.ts'
import { FRAME, RESULT_META_BYTES } from '../../../../runtime/environments/frames.ts'
import { decode } from '../../../../runtime/sdk/codec/decode.ts'
import { encode } from '../../../../runtime/sdk/codec/encode.ts'
import { RUNTIMES, TestEnvironment } from '../test-engine.ts'

/** What the engine is told of tasks that go wrong, under both contracts of handlers. */
const failures = suite('tasks that go wrong')

const CODE = `const { task } = globalThis[Symbol.for('lambent.sdk.v1')]
exports.fine = task((n) => n + 1)
exports.text = task(() => { throw 'just text' })
exports.fn = task(() => { throw () => {} })
exports.rejects = task(() => {
  Promise.reject(new RangeError('nobody listens'))
  return new Promise(() => setInterval(() => {}, 1000))
})
`
const noArguments = packTask(packValue([], encode([]).head), [])

for (const runtime of RUNTIMES) {
  const start = (): Promise<TestEnvironment> =>
    TestEnvironment.start({ files: { 'index.js': CODE }, specialization: { runtime, role: 'task' } })

  /** Lead and value of an answer, which must be an error. */
  const errorOf = async (
    environment: TestEnvironment,
    target: string,
    payload = noArguments,
  ): Promise<{ lead: string; error: unknown; isFatal: boolean }> => {
    const id = environment.post(payload, { target })
    const { isError, isFatal } = await environment.answer(id)
    assert.ok(isError)
    const { body } = await environment.next(FRAME.result, id)
    const { lead, encoded } = unpackLed(body.subarray(RESULT_META_BYTES))
    return { lead, error: decode(encoded), isFatal }
  }

  failures(
    `${runtime}: bytes that are no arguments are the error of the task, and the process goes on`,
    async () => {
      await using environment = await start()
      const cut = packValue([], encode(['a', { b: 1 }]).head)

      for (const payload of [
        Buffer.from('nonsense'),
        packTask(cut.subarray(0, cut.length - 2), []),
        packTask(packValue([], encode('no list').head), []),
      ]) {
        const { lead, error } = await errorOf(environment, 'task/fine', payload)
        assert.is(lead, 'RangeError')
        assert.instance(error, RangeError)
      }
      const args = packTask(packValue([], encode([1]).head), [])
      const answer = await environment.answer(environment.post(args, { target: 'task/fine' }))
      assert.not.ok(answer.isError)
    },
  )

  failures(`${runtime}: a task that is not there says so`, async () => {
    await using environment = await start()

    const { error } = await errorOf(environment, 'task/gone')

    assert.match((error as Error).message, /exports no task "gone"/)
  })

  failures(`${runtime}: what is thrown and is no error gets across as far as it can`, async () => {
    await using environment = await start()

    const text = await errorOf(environment, 'task/text')
    const fn = await errorOf(environment, 'task/fn')

    assert.equal([text.lead, text.error], ['string', 'just text'])
    assert.is(fn.lead, 'function')
    assert.match((fn.error as Error).message, /^function was thrown/)
  })
}

failures(
  'a rejection that nobody handles is the answer of the task that ran, and ends the process',
  async () => {
    await using environment = await TestEnvironment.start({
      files: { 'index.js': CODE },
      specialization: { runtime: 'nodejs22.x', role: 'task' },
    })

    const id = environment.post(noArguments, { target: 'task/rejects' })
    const answer = await environment.answer(id)

    assert.ok(answer.isFatal)
    const { body } = await environment.next(FRAME.result, id)
    const { lead, encoded } = unpackLed(body.subarray(RESULT_META_BYTES))
    assert.is(lead, 'Runtime.UnhandledPromiseRejection')
    assert.match((decode(encoded) as Error).message, /nobody listens/)
    assert.is((await environment.exited).code, 128)
  },
)

failures.run()
