import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { context, defineConfig } from '../../runtime/sdk/index.ts'
import { TestEnvironment } from '../environments/entry/test-engine.ts'

const sdk = suite('the SDK')

const CODE = `const { context, parseDuration } = globalThis[Symbol.for('lambent.sdk.v1')]
  const read = async () => { await new Promise((go) => setTimeout(go, 5)); return context.runId }`

sdk('the context read outside of an invocation says so', () => {
  assert.throws(() => context.awsRequestId, /^`context` was read outside of an invocation/)
})

sdk('a config is returned as it is', () => {
  const config = { functions: { orders: { entry: 'orders.ts', memoryMb: 256, timeout: '30s' as const } } }

  assert.is(defineConfig(config), config)
})

sdk('inside an environment the context is the current invocation’s', async () => {
  const files = {
    'index.js': `${CODE}
      exports.handler = async (event, own) =>
        [await read(), context.functionName, context.signal === own.signal, parseDuration('2s')]`,
  }
  await using environment = await TestEnvironment.start({ files })

  assert.is((await environment.invoke()).text, '["request-1","orders",true,2000]')
})

sdk('concurrent invocations each read their own context', async () => {
  const files = { 'index.js': `${CODE}\n exports.handler = () => read()` }
  await using environment = await TestEnvironment.start({ files, specialization: { concurrency: 3 } })

  const ids = [1, 2, 3].map(() => environment.post({}))
  const answers = []
  for (const id of ids) answers.push((await environment.answer(id)).text)

  assert.equal(answers, ['"request-1"', '"request-2"', '"request-3"'])
})

sdk('what an invocation left behind still reads its own context', async () => {
  const files = {
    'index.js': `${CODE}
      let left
      exports.handler = async (event) => {
        if (event.leave) { left = read(); return }
        return [await left, context.runId] }`,
  }
  await using environment = await TestEnvironment.start({ files })

  await environment.invoke({ leave: true })

  assert.is((await environment.invoke({})).text, '["request-1","request-2"]')
})

sdk('outside of the handler the context of an environment says so too', async () => {
  const files = {
    'index.js': `${CODE}
      let message; try { context.runId } catch (error) { message = error.message }
      exports.handler = async () => message`,
  }
  await using environment = await TestEnvironment.start({ files })

  assert.match((await environment.invoke()).text, /^"`context` was read outside of an invocation/)
})

sdk.run()
