import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ActorCrashed,
  connect,
  FunctionError,
  Infeasible,
  type LambentError,
  MailboxFull,
  TaskCancelled,
  TimeoutError,
  type Client,
} from '../../runtime/sdk/client.ts'
import { rejects } from '../support/assert.ts'
import { startLambentProcess, type LambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { writeFiles } from '../support/write-files.ts'

/** Tasks, actors, values and groups of the built program, from outside, as the client gives them. */
const clients = suite('the client and the built program')

const WORK = `import { Actor, task } from 'lambent'
export const add = task((a, b) => a + b)
export const nap = task((ms) => new Promise((resolve) => setTimeout(resolve, ms, ms)))
export const fails = task(() => { throw new RangeError('too far') })
export const huge = task(() => 1, { cpu: 999 })
export class Tally extends Actor {
  static options = { mailbox: 2 }
  async add(n) {
    const total = ((await this.storage.get('total')) ?? 0) + n
    await this.storage.put('total', total)
    return total
  }
  async fails() { throw new TypeError('no way') }
  async crashes() { process.exit(3) }
  async naps(ms) { await new Promise((resolve) => setTimeout(resolve, ms)) }
}
export const handler = async () => 'here'
`
interface Tally {
  add(n: number): Promise<number>
  fails(): Promise<void>
  crashes(): Promise<void>
  naps(ms: number): Promise<void>
}
type Add = (a: number, b: number) => number
type Nap = (ms: number) => number

const folder = temporaryDirectory()
writeFiles(folder, { 'functions/work/index.mjs': WORK })
let started: Promise<LambentProcess> | undefined

async function client(): Promise<Client> {
  started ??= startLambentProcess(['--deploy', folder.join('functions')])
  return connect((await started).api)
}

clients('tasks run, take refs for values, and fail as what they threw', async () => {
  const lambent = await client()
  const add = lambent.task<Add>('work/add')

  const three = add.remote(1, 2)
  const ten = add.remote(three, 7)

  assert.equal(await lambent.get([three, ten]), [3, 10])
  assert.is(await add.call(2, 2), 4)
  const thrown = await rejects(lambent.task('work/fails').call())
  assert.instance(thrown, FunctionError)
  assert.equal([thrown.name, thrown.message], ['RangeError', 'too far'])
  assert.match((thrown as FunctionError).remoteStack, /RangeError: too far\n\s+at /)
})

clients('what can never run, or is not there, is refused by name', async () => {
  const lambent = await client()

  const infeasible = await rejects(lambent.task('work/huge').call())
  const missing = await rejects(lambent.task('work/nothing').call())
  const nobody = await rejects(lambent.actor<Tally>('nobody/Tally', 'k').add(1))

  assert.instance(infeasible, Infeasible)
  assert.match(infeasible.message, 'cpu 999')
  assert.is((missing as LambentError).status, 404)
  assert.match(missing.message, '"nothing"')
  assert.is((nobody as LambentError).status, 404)
})

clients('waits end in time, and what was cancelled says so', async () => {
  const lambent = await client()
  const nap = lambent.task<Nap>('work/nap')
  const long = nap.remote(60_000)
  const short = nap.remote(1)

  const { ready, pending } = await lambent.wait([long, short])
  const late = await rejects(lambent.get(long, { timeout: '100ms' }))
  await lambent.cancel(long, { force: true })
  const cancelled = await rejects(lambent.get(long))

  assert.equal([ready, pending], [[short], [long]])
  assert.instance(late, TimeoutError)
  assert.instance(cancelled, TaskCancelled)
})

clients('values are kept until they are released, bytes as bytes', async () => {
  const lambent = await client()
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251)

  const json = await lambent.put({ a: ['ż', 1, null] })
  const large = await lambent.put(bytes)

  assert.equal(await lambent.get(json), { a: ['ż', 1, null] })
  assert.ok(Buffer.from(await lambent.get(large)).equals(bytes))
  await lambent.release(json)
  assert.is(((await rejects(lambent.get(json))) as LambentError).status, 404)
})

clients('an actor answers, fails, crashes and comes back with what it stored', async () => {
  const lambent = await client()
  const tally = lambent.actor<Tally>('work/Tally', 'one')

  assert.is(await tally.add(2), 2)
  const once = tally.with({ idempotencyKey: 'k-1' })
  assert.equal([await once.add(5), await once.add(5)], [7, 7])
  const thrown = await rejects(tally.fails())
  const crashed = await rejects(tally.crashes())

  assert.equal([thrown.name, thrown.message], ['TypeError', 'no way'])
  assert.instance(crashed, ActorCrashed)
  assert.is(await tally.add(1), 8)
})

clients('a full mailbox and a call that takes too long have errors of their own', async () => {
  const lambent = await client()
  const tally = lambent.actor<Tally>('work/Tally', 'slow')

  const naps = Array.from({ length: 12 }, () => tally.naps(300).then(String, (error: unknown) => error))
  const late = await rejects(lambent.actor<Tally>('work/Tally', 'late', { timeout: '100ms' }).naps(2000))
  const ended = await Promise.all(naps)

  assert.instance(late, TimeoutError)
  assert.ok(
    ended.some((one) => one instanceof MailboxFull),
    ended.map(String).join(),
  )
  assert.ok(ended.some((one) => one === 'null'))
})

clients('a placement group is reserved, shown and removed', async () => {
  const lambent = await client()

  const group = await lambent.placementGroup({ name: 'pair', bundles: [{ cpu: 0.5 }, { cpu: 0.5 }] })
  const ready = await group.ready({ timeout: '10s' })
  const refused = await rejects(lambent.placementGroup({ bundles: [{ cpu: 999 }] }))
  await group.remove()

  assert.equal([ready.name, ready.bundles.length], ['pair', 2])
  assert.instance(refused, Infeasible)
  await until('it is gone', async () => {
    const state = await group.state().then(
      (one) => one.state,
      () => 'removed',
    )
    return state === 'removed'
  })
})

clients('stops cleanly in the end', async () => {
  await client()

  assert.equal(await (await started)?.end('SIGTERM'), { code: 0, signal: null })
  folder[Symbol.dispose]()
})

clients(
  'what a task was making when its engine was killed is lost, and the next engine says so',
  async () => {
    using folder = temporaryDirectory()
    writeFiles(folder, { 'work/index.ts': WORK })
    const words = ['--deploy', folder.join('work')]
    await using killed = await startLambentProcess(words, { data: folder.join('data') })
    const ref = connect(killed.api).task<(ms: number) => Promise<number>>('work/nap').remote(60_000)
    await ref.id
    await until('it runs', async () =>
      (await (await fetch(`${killed.api}/lambent/v1/tasks`)).text()).includes('running') ? true : undefined,
    )
    await killed.end('SIGKILL')
    await using next = await startLambentProcess(words, { data: folder.join('data') })

    const get = connect(next.api).get(ref)

    assert.is((await rejects(get)).name, 'ObjectLost')
  },
)

clients.run()
