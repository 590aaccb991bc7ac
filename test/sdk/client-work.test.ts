import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ActorCrashed,
  ClientRef,
  connect,
  FunctionError,
  Infeasible,
  LambentError,
  MailboxFull,
  TimeoutError,
} from '../../runtime/sdk/client.ts'
import { answeringEngine } from '../support/answering-engine.ts'
import { rejects } from '../support/assert.ts'

interface Tally {
  add(n: number): Promise<number>
  peek(): number
}
declare const countWords: (text: string) => Promise<number>

const clients = suite('the client and work')

clients('a method of an actor is a POST with its arguments', async () => {
  await using engine = await answeringEngine(() => ({ body: 3 }))
  const tally = connect(engine.url, { key: 'secret' }).actor<Tally>('word-count/Tally', 'a/b ż')

  const total: number = await tally.add(3)

  assert.is(total, 3)
  const [request] = engine.seen
  assert.is(request?.method, 'POST')
  assert.is(request?.url, '/lambent/v1/actors/word-count/Tally/a%2Fb%20%C5%BC/add')
  assert.is(request?.body, '[3]')
  assert.is(request?.headers['authorization'], 'Bearer secret')
  assert.is(request?.headers['idempotency-key'], undefined)
})

clients('a call with an idempotency key carries it, other calls of the handle do not', async () => {
  await using engine = await answeringEngine(() => ({ body: null }))
  const tally = connect(engine.url).actor<Tally>('word-count/Tally', 'all')

  await tally.with({ idempotencyKey: 'once' }).add(1)
  await tally.call('with', 2)

  assert.is(engine.seen[0]?.headers['idempotency-key'], 'once')
  assert.is(engine.seen[1]?.headers['idempotency-key'], undefined)
  assert.is(engine.seen[1]?.url, '/lambent/v1/actors/word-count/Tally/all/with')
})

clients('a handle can be awaited and looked at without a call', async () => {
  await using engine = await answeringEngine(() => ({ body: null }))
  const tally = connect(engine.url).actor<Tally>('word-count/Tally', 'all')

  const same = await Promise.resolve(tally)
  String(Object.prototype.toString.call(same))

  assert.is(engine.seen.length, 0)
})

clients('names of another form are refused at once', () => {
  const client = connect('http://127.0.0.1:1')
  for (const name of ['Tally', 'a/b/c', '/Tally', 'word-count/'])
    assert.throws(() => client.actor(name, 'all'), /names no class of actors: write "function\/Class"/)
  assert.throws(() => client.task('count'), /names no task: write "function\/export"/)
})

clients('every refusal comes as what it is', async () => {
  const answers: [code: string, status: number, kind: typeof LambentError][] = [
    ['ActorCrashed', 502, ActorCrashed],
    ['MailboxFull', 429, MailboxFull],
    ['Throttled', 429, LambentError],
    ['Infeasible', 400, Infeasible],
    ['Timeout', 504, TimeoutError],
    ['NotFound', 404, LambentError],
  ]
  for (const [code, status, kind] of answers) {
    const error = { code, message: `It is ${code}.`, hint: 'Try this.' }
    await using engine = await answeringEngine(() => ({ status, body: { error } }))

    const thrown = await rejects(connect(engine.url).actor<Tally>('f/Tally', 'k').peek())

    assert.instance(thrown, kind)
    const refusal = thrown as LambentError
    assert.equal([refusal.code, refusal.status, refusal.hint], [code, status, 'Try this.'])
    assert.is(refusal.message, `It is ${code}.`)
    if (kind !== LambentError) assert.is(refusal.name, kind.name)
  }
})

clients('an error that the code threw is a FunctionError with its type and remote stack', async () => {
  const error = {
    code: 'FunctionError',
    message: 'too far',
    type: 'RangeError',
    stack: 'RangeError: too far\n  at x',
  }
  await using engine = await answeringEngine(() => ({ status: 500, body: { error } }))

  const thrown = await rejects(connect(engine.url).actor<Tally>('f/Tally', 'k').peek())

  assert.instance(thrown, FunctionError)
  const { name, type, message, remoteStack } = thrown as FunctionError
  assert.equal([name, type, message], ['RangeError', 'RangeError', 'too far'])
  assert.is(remoteStack, 'RangeError: too far\n  at x')
})

clients('a call that takes longer than its timeout is a TimeoutError that names it', async () => {
  await using engine = await answeringEngine(() => 'never')
  const tally = connect(engine.url).actor<Tally>('f/Tally', 'k', { timeout: '50ms' })

  const thrown = await rejects(tally.peek())

  assert.instance(thrown, TimeoutError)
  assert.match(thrown.message, 'f/Tally/k.peek took longer than 50 ms')
})

clients('a call ends with the reason of its signal', async () => {
  await using engine = await answeringEngine(() => 'never')
  const stop = new AbortController()
  const tally = connect(engine.url).actor<Tally>('f/Tally', 'k', { signal: stop.signal })
  const call = tally.peek()
  const reason = new Error('no longer wanted')

  stop.abort(reason)

  assert.is(await rejects(call), reason)
})

clients('a task gives a ref at once, and get goes on asking until the value is there', async () => {
  let asked = 0
  await using engine = await answeringEngine(({ method }) => {
    if (method === 'POST') return { status: 202, body: { objectId: 'o-1' } }
    asked += 1
    if (asked < 3) return { status: 504, body: { error: { code: 'Timeout', message: 'Not yet.' } } }
    return { headers: { 'content-type': 'application/json' }, body: 42 }
  })
  const client = connect(engine.url)

  const ref = client.task<typeof countWords>('word-count/countWords').remote('a b c')
  assert.instance(ref, ClientRef)
  const value: number = await client.get(ref)

  assert.is(value, 42)
  assert.is(await ref.id, 'o-1')
  const [started, waited] = engine.seen
  assert.equal([started?.url, started?.body], ['/lambent/v1/tasks/word-count/countWords', '["a b c"]'])
  assert.is(waited?.url, '/lambent/v1/objects/o-1?wait=30000ms')
})

clients('a ref as an argument is replaced by its value before the task starts', async () => {
  await using engine = await answeringEngine(({ method }) =>
    method === 'POST' ? { status: 202, body: { objectId: 'o-1' } } : { body: 7 },
  )
  const client = connect(engine.url)

  const first = client.task<() => number>('f/first').remote()
  const second = client.task<(n: number) => number>('f/second').remote(first)
  await second.id

  assert.equal(engine.seen.at(-1)?.body, '[7]')
})

clients('wait tells who has ended, also badly, and leaves the others alone', async () => {
  await using engine = await answeringEngine(({ method, url, body }) => {
    if (method === 'POST') return { status: 202, body: { objectId: body } }
    if (url.includes('slow')) return 'never'
    const error = { code: 'FunctionError', message: 'bad', type: 'Error', stack: '' }
    return url.includes('bad') ? { status: 500, body: { error } } : { body: 1 }
  })
  const client = connect(engine.url)
  const task = client.task<(name: string) => number>('f/t')
  const refs = ['slow', 'bad', 'good'].map((name) => task.remote(name))

  const { ready, pending } = await client.wait(refs, { count: 2 })
  const late = await client.wait(refs, { count: 3, timeout: '50ms' })

  assert.equal([ready, pending], [refs.slice(1), refs.slice(0, 1)])
  assert.is(late.pending.length, 1)
  assert.instance(await rejects(client.wait(refs, { count: 4 })), RangeError)
})

clients('bytes come back as bytes', async () => {
  const bytes = Uint8Array.from([0, 255, 7])
  await using engine = await answeringEngine(({ method }) =>
    method === 'PUT'
      ? { status: 204 }
      : { headers: { 'content-type': 'application/octet-stream' }, body: bytes },
  )
  const client = connect(engine.url)

  const ref = await client.put(bytes)

  assert.equal(await client.get(ref), bytes)
  assert.is(engine.seen[0]?.headers['content-type'], 'application/octet-stream')
  assert.instance(await rejects(client.put(undefined)), TypeError)
})

clients.run()
