import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CallScope } from '../../../../runtime/environments/entry/call-scope.ts'
import { Computing } from '../../../../runtime/environments/entry/computing/computing.ts'
import type { FunctionFacts } from '../../../../runtime/environments/entry/context.ts'
import { FLAG, HEADER_BYTES } from '../../../../runtime/environments/frames.ts'
import { taskFactory } from '../../../../runtime/sdk/task.ts'
import { until } from '../../../support/until.ts'

/** Refs made outside of invocations, which no end of an invocation lets go. */
const forgotten = suite('forgotten refs')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void // the flag has made it
const VALUE_42 = Buffer.from([0, 0, 0, 0, 42])

function world(): { computing: Computing; told: string[]; task: ReturnType<typeof make> } {
  const told: string[] = []
  const computing = new Computing({
    connection: {
      unsentBytes: 0,
      beforeFlush: undefined,
      scheduleFlush() {},
      post(bytes: Buffer) {
        told.push(bytes.toString('utf8', HEADER_BYTES, HEADER_BYTES + bytes.readUInt32LE(12)))
      },
    },
    scope: new CallScope(2),
    facts: {} as FunctionFacts, // nothing runs here
    refPrefix: 'o1',
    lendsCpu: false,
  })
  const task = make(computing)
  computing.scan({ task })
  return { computing, told, task }
}

const make = (computing: Computing) => taskFactory(computing.sdkCalls)(() => 42)

/** Lets the collector and what it calls run, a few times. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

forgotten('one that nothing refers to is released', async () => {
  const { computing, told, task } = world()
  task.remote()
  computing.calls.receive(1, 0, VALUE_42)

  await until('it is released', async () => {
    await settle()
    return told.includes('release\no1-1') || undefined
  })
})

forgotten('one that is waited for is not, whatever the wait', async () => {
  const { computing, told, task } = world()

  const waits = [
    computing.sdkCalls.get(task.remote()),
    computing.sdkCalls.get(task.remote(), { timeout: '1h' }),
    computing.sdkCalls.get([task.remote()]),
  ]
  await settle()
  for (const number of [1, 2, 3]) computing.calls.receive(number, 0, VALUE_42)

  assert.equal(await Promise.all(waits), [42, 42, [42]])
  assert.equal(
    told.filter((one) => one.startsWith('release')),
    [],
  )
})

forgotten('one whose items are taken is not', async () => {
  const { computing, task } = world()
  const got: unknown[] = []

  const reading = (async () => {
    for await (const item of task.remote() as never as AsyncIterable<never>)
      got.push(await computing.sdkCalls.get(item))
  })()
  await settle()
  computing.calls.receive(1, FLAG.streaming, VALUE_42)
  await settle()
  computing.calls.receive(1, FLAG.streaming, VALUE_42)
  computing.calls.receive(1, 0, Buffer.alloc(0))
  await reading

  assert.equal(got, [42, 42])
})

forgotten.run()
