import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  callMeta,
  packActivation,
  unpackWrites,
  type ActorWrite,
  type CallMessage,
} from '../../../../runtime/environments/actor-messages.ts'
import { errorNameOf } from '../../../../runtime/environments/call-payload.ts'
import { encodeTarget } from '../../../../runtime/environments/call-target.ts'
import { FLAG, FRAME, frame, RESULT_META_BYTES } from '../../../../runtime/environments/frames.ts'
import { until } from '../../../support/until.ts'
import { TestEnvironment, type ReceivedFrame } from '../test-engine.ts'
import { bytesOf, valueOf } from './scripted-engine.ts'

const actors = suite('actors in an environment')

const CODE = `
const { Actor, actor } = globalThis[Symbol.for('lambent.sdk.v1')]
class Tally extends Actor {
  async add(n) {
    const total = (await this.storage.get('total') ?? 0) + n
    await this.storage.put('total', total)
    console.log('added', n, 'to', this.key)
    return total
  }
  async askOther() { return actor(Tally, 'the other').add(5) }
  async askNamed() { return actor.with(actor('f2:live/Tally', 'x/y'), { timeout: '2s', retries: 1 }).add(1) }
  async take() {
    const taken = []
    for await (const item of actor('f2/Tally', 'x').items()) { taken.push(item); if (taken.length === 2) break }
    return taken
  }
  ids() { return [this.context.awsRequestId, this.context.functionName] }
}
Tally.concurrent = ['ids']
Tally.options = { idle: '5s' }
exports.Counter = Tally
exports.handler = async () => actor(Tally, 'all').add(3)
`

const start = (concurrency = 64): ReturnType<typeof TestEnvironment.start> =>
  TestEnvironment.start({ files: { 'index.js': CODE }, specialization: { concurrency } })

const wake = (environment: TestEnvironment, key: string, className = 'Counter'): number =>
  environment.post(packActivation({ epoch: 1, complete: true, sockets: '', rows: [] }), {
    target: encodeTarget({ kind: 'actor', className, key }) ?? '',
  })

function message(
  environment: TestEnvironment,
  id: number,
  meta: string,
  payload: Buffer = Buffer.alloc(0),
): void {
  const head = Buffer.from(meta)
  environment.send(frame(FRAME.message, Buffer.concat([head, payload]), id, 0, head.length))
}

function call(
  environment: TestEnvironment,
  id: number,
  number: number,
  name: string,
  ...args: unknown[]
): void {
  const one: CallMessage = { id: number, kind: 'method', mode: 'turn', outer: 0, flags: 0, name }
  message(environment, id, callMeta(one), bytesOf(args))
}

/** The meta of a `said` or a `request` frame. */
const metaOf = ({ body, extra }: ReceivedFrame): string => body.toString('utf8', 0, extra)

async function said(environment: TestEnvironment, id: number, begins: string): Promise<ReceivedFrame> {
  return until(`actor ${id} says ${begins}`, () =>
    environment.frames.find(
      (one) => one.type === FRAME.said && one.id === id && metaOf(one).startsWith(begins),
    ),
  )
}

async function reply(
  environment: TestEnvironment,
  id: number,
  number: number,
): Promise<{ writes: ActorWrite[]; value: unknown; flags: number; result: Buffer }> {
  const found = await said(environment, id, `reply\n${number}\n`)
  const writesBytes = Number(metaOf(found).split('\n')[2])
  const payload = found.body.subarray(found.extra)
  const result = payload.subarray(writesBytes)
  const writes = unpackWrites(payload.subarray(0, writesBytes))
  return { writes, value: valueOf(result), flags: found.flags, result }
}

async function request(environment: TestEnvironment, begins: string): Promise<ReceivedFrame> {
  return until(`it asks ${begins}`, () =>
    environment.frames.find((one) => one.type === FRAME.request && metaOf(one).startsWith(begins)),
  )
}

actors('the manifest names classes by their exports, with what they declare', async () => {
  await using environment = await start()

  assert.equal(environment.initialized.manifest?.actors, { Counter: { idle: '5s', concurrent: ['ids'] } })
})

actors('many share a process: each has its storage, its context and its lines in the log', async () => {
  await using environment = await start()
  const [first, second] = [wake(environment, 'one'), wake(environment, 'two')]

  call(environment, first, 1, 'add', 1)
  call(environment, second, 1, 'add', 10)
  call(environment, first, 2, 'add', 1)
  call(environment, first, 3, 'ids')

  assert.is((await reply(environment, first, 2)).value, 2)
  assert.is((await reply(environment, second, 1)).value, 10)
  assert.equal((await reply(environment, first, 3)).value, [`request-${first}`, 'orders'])
  await until(
    'the log is there',
    () => environment.rawLog.includes('to two') && environment.rawLog.includes('to one'),
  )
  const lines = environment.rawLog.split('\n')
  const writerOf = (text: string): string =>
    lines
      .slice(
        0,
        lines.findIndex((line) => line.includes(text)),
      )
      .findLast((line) => line.startsWith('\u0000S')) ?? ''
  assert.match(writerOf('to two'), `request-${second}`)
  assert.match(writerOf('to one'), `request-${first}`)
})

actors('an actor sleeps when it is told to, and its process lives on', async () => {
  await using environment = await start(1)
  const id = wake(environment, 'one')
  await said(environment, id, 'awake')
  await new Promise((resolve) => setImmediate(resolve))

  message(environment, id, 'stop')
  const end = await environment.next(FRAME.result, id)
  const again = wake(environment, 'one')
  await said(environment, again, 'awake')

  assert.is(end.flags & FLAG.error, 0)
  assert.is(end.body.length, RESULT_META_BYTES)
})

actors('a class that is not there ends the activation with its name', async () => {
  await using environment = await start()

  const end = await environment.next(FRAME.result, wake(environment, 'one', 'Gone'))

  assert.is(end.flags & FLAG.error, FLAG.error)
  assert.is(errorNameOf(end.body.subarray(RESULT_META_BYTES)), 'NoSuchActor')
})

actors('a call from a handler is a request of its invocation', async () => {
  await using environment = await start(1)
  const id = environment.post({})

  const asked = await request(environment, 'actor\n')
  environment.send(frame(FRAME.answer, bytesOf(7), asked.id))

  assert.is(metaOf(asked), `actor\n${id}\n\nCounter\nall\nadd\n\n0`)
  assert.equal(valueOf(asked.body.subarray(asked.extra)), [3])
  assert.is((await environment.answer(id)).text, '7')
})

actors('a call from an actor says which of its calls it comes from', async () => {
  await using environment = await start()
  const id = wake(environment, 'one')
  call(environment, id, 1, 'askOther')
  const asked = await request(environment, 'actor\n')
  environment.send(frame(FRAME.answer, bytesOf(12), asked.id))
  const { value } = await reply(environment, id, 1)
  call(environment, id, 2, 'askNamed')
  const named = await request(environment, `actor\n${id}\nf2`)

  assert.is(metaOf(asked), `actor\n${id}\n\nCounter\nthe%20other\nadd\n\n1`)
  assert.is(value, 12)
  assert.is(metaOf(named), `actor\n${id}\nf2:live\nTally\nx%2Fy\nadd\n{"timeoutMs":2000,"retries":1}\n2`)
})

actors('items of another actor are taken one by one, and no more than are wanted', async () => {
  await using environment = await start()
  const id = wake(environment, 'one')
  call(environment, id, 1, 'take')
  const asked = await request(environment, 'actor\n')
  for (const item of ['a', 'b', 'c'])
    environment.send(frame(FRAME.answer, bytesOf(item), asked.id, FLAG.streaming))

  const { value } = await reply(environment, id, 1)

  assert.equal(value, ['a', 'b'])
  await request(environment, `taken\n${asked.id}\n1`)
  await request(environment, `stop\n${asked.id}`)
})

actors.run()
