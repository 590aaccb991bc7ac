import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  call,
  define,
  environmentsOf,
  failureOf,
  logOf,
  runOf,
  type Answer,
} from '../support/function-calls.ts'
import { invoke, startLambent, type RunningLambent } from '../support/lambent.ts'
import { until, within } from '../support/until.ts'

/** More work than places: what waits, what is refused, what dies together, and that nothing hangs. */
const crowding = suite('more work than places')

/**
 * Answers with a mark of its process; `for` runs that many ms, `spin` never gives the loop back, `die` exits.
 */
const WORKER = `
const born = Math.random().toString(36).slice(2)
let started = 0
exports.handler = async (event, context) => {
  started++
  if (event.spin) for (;;);
  if (event.die !== undefined) setTimeout(() => process.exit(3), event.die)
  if (event.for) await new Promise((resolve) => setTimeout(resolve, event.for))
  return { born, started }
}`

/** Calls the engine at AWS_ENDPOINT_URL_LAMBDA as an SDK does. */
const CALLER = `
exports.handler = async (event) => {
  if (!event.chain.length) return 'end'
  const [next, ...chain] = event.chain
  const response = await fetch(process.env.AWS_ENDPOINT_URL_LAMBDA + '/2015-03-31/functions/' + next + '/invocations',
    { method: 'POST', body: JSON.stringify({ chain }) })
  return { status: response.status, body: await response.json() }
}`

let started: Promise<RunningLambent> | undefined
/** For tests that need no settings of their own; stopped by the last of them. */
const plainLambent = (): Promise<RunningLambent> => (started ??= startLambent())

const bornOf = ({ body }: Answer): string => (body as { born: string }).born

crowding('a timeout in a process that runs eight at once ends that one alone', async () => {
  const lambent = await plainLambent()
  await define(lambent, 'shared', WORKER, { timeoutSeconds: 1, tags: { 'lambent:concurrency': '8' } })
  const first = await call(lambent, 'shared')

  const slow = call(lambent, 'shared', { for: 1500 })
  const others = Array.from({ length: 6 }, () => call(lambent, 'shared', { for: 700 }))
  const late = call(lambent, 'shared', { for: 950 })
  const answers = await Promise.all([...others, late])
  const expired = await slow
  const after = await call(lambent, 'shared')

  for (const answer of answers) assert.is(bornOf(answer), bornOf(first))
  assert.is(failureOf(expired).errorType, 'Sandbox.Timedout')
  assert.ok(expired.tookMs < 1150, `answered after ${expired.tookMs} ms`)
  assert.is(bornOf(after), bornOf(first), 'the process was ended though its loop turned')
  assert.is((await runOf(lambent, expired.requestId)).status, 'timed-out')
})

crowding('invocations that log by turns in one process keep their lines apart', async () => {
  const lambent = await plainLambent()
  await define(
    lambent,
    'talkers',
    `exports.handler = async ({ name, pauseMs }) => {
       for (let line = 0; line < 4; line++) {
         console.log('I am', name, line)
         await new Promise((resolve) => setTimeout(resolve, pauseMs))
       }
     }`,
    { timeoutSeconds: 1, tags: { 'lambent:concurrency': '8' } },
  )
  await call(lambent, 'talkers', { name: 'first', pauseMs: 0 })

  const names = ['a', 'b', 'c', 'd']
  const answers = await Promise.all([
    ...names.map((name) => call(lambent, 'talkers', { name, pauseMs: 200 })),
    call(lambent, 'talkers', { name: 'late', pauseMs: 400 }),
  ])
  const late = answers.pop()
  await until('the late one has said its last', async () => {
    const response = await fetch(`${lambent.url}/lambent/v1/functions/talkers/logs?grep=late%203`)
    return ((await response.json()) as { lines: unknown[] }).lines.length === 1
  })

  for (const [index, { requestId }] of answers.entries()) {
    const log = (await logOf(lambent, requestId)).map((line) => line.replace(/^\S+\t\S+\tINFO\t/, ''))
    const said = [0, 1, 2, 3].map((line) => `I am ${names[index]} ${line}`)
    assert.match(log[0] ?? '', /^START /)
    assert.equal(log.slice(1, 5), said)
    assert.match(log.slice(5).join('\n'), /^END .*\nREPORT .*$/)
  }
  const begun = (await logOf(lambent, late?.requestId ?? '')).filter((line) => line.startsWith('START '))
  assert.is(begun.length, 1)
})

crowding('a process that runs eight at once dies when its loop is stuck, and tells all of them', async () => {
  const lambent = await plainLambent()
  await define(lambent, 'stuck', WORKER, { timeoutSeconds: 1, tags: { 'lambent:concurrency': '8' } })
  const first = await call(lambent, 'stuck')

  const others = Array.from({ length: 3 }, () => call(lambent, 'stuck', { for: 600 }))
  const spinning = call(lambent, 'stuck', { spin: true })
  const answers = await within('all answers', Promise.all([...others, spinning]), 5000)
  const after = await call(lambent, 'stuck')

  for (const answer of answers) assert.is(failureOf(answer).errorType, 'Sandbox.Timedout')
  assert.is.not(bornOf(after), bornOf(first))
  await until('the stuck process is gone', async () => (await environmentsOf(lambent, 'stuck')).length === 1)
})

crowding('what waits behind a slow call is not lost when its environment dies', async () => {
  const lambent = await plainLambent()
  await define(lambent, 'narrow', WORKER, { tags: { 'lambent:max-environments': '1' } })
  const first = await call(lambent, 'narrow')

  const dying = call(lambent, 'narrow', { for: 5000, die: 200 })
  const waiting = Array.from({ length: 5 }, () => call(lambent, 'narrow'))
  const [lost, ...answers] = await within('all answers', Promise.all([dying, ...waiting]))

  assert.ok(lost)
  assert.is(failureOf(lost).errorType, 'Runtime.ExitError')
  for (const answer of answers) {
    assert.is(answer.functionError, undefined, JSON.stringify(answer.body))
    assert.is.not(bornOf(answer), bornOf(first))
  }
  const starts = answers.map(({ body }) => (body as { started: number }).started).sort()
  assert.equal(starts, [1, 2, 3, 4, 5], 'something ran twice or not at all')
})

crowding('environments that die one after the other lose only what they had started', async () => {
  const lambent = await plainLambent()
  await define(lambent, 'mortal', WORKER, { tags: { 'lambent:max-environments': '1' } })

  const calls = Array.from({ length: 40 }, (_, index) =>
    call(lambent, 'mortal', index % 4 === 3 ? { die: 0, for: 1000 } : {}),
  )
  const answers = await within('all answers', Promise.all(calls), 20_000)

  answers.forEach((answer, index) => {
    const expected = index % 4 === 3 ? 'Runtime.ExitError' : undefined
    assert.is(failureOf(answer).errorType, expected, `${index}: ${JSON.stringify(answer.body)}`)
  })
  assert.is(await lambent.stop(), 0)
})

crowding('the line of those who wait is bounded, in length and in time', async () => {
  await using lambent = await startLambent({
    settings: { LAMBENT_MAX_WAITING: '20', LAMBENT_MAX_WAIT_MS: '700' },
  })
  await define(lambent, 'busy', WORKER, { tags: { 'lambent:max-environments': '1' } })
  await call(lambent, 'busy')

  const running = call(lambent, 'busy', { for: 2500 })
  await until('it runs', async () => (await environmentsOf(lambent, 'busy'))[0]?.state === 'busy')
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(lambent, 'busy')))
  const last = await running

  assert.is(last.functionError, undefined)
  const at = (low: number, high: number) => answers.filter((one) => one.tookMs >= low && one.tookMs < high)
  for (const answer of answers) {
    assert.is(answer.status, 429, JSON.stringify(answer.body))
    assert.is((answer.body as { Reason: string }).Reason, 'ConcurrentInvocationLimitExceeded')
  }
  assert.ok(at(0, 600).length >= 15, 'nobody was refused at once')
  assert.ok(at(650, 2400).length >= 15, 'nobody waited')
  assert.is((await call(lambent, 'busy')).functionError, undefined)
})

crowding('functions that call each other in a circle come to an end', async () => {
  await using lambent = await startLambent({ settings: { LAMBENT_MAX_WAIT_MS: '1000' } })
  const tags = { 'lambent:max-environments': '1' }
  await define(lambent, 'a', CALLER, { tags, timeoutSeconds: 20 })
  await define(lambent, 'b', CALLER, { tags, timeoutSeconds: 20 })

  const straight = await within('a -> b', call(lambent, 'a', { chain: ['b'] }), 5000)
  const circle = await within('a -> b -> a', call(lambent, 'a', { chain: ['b', 'a'] }), 8000)

  assert.equal(straight.body, { status: 200, body: 'end' })
  const inner = (circle.body as { body: { status: number; body: { Reason: string } } }).body
  assert.is(inner.status, 429)
  assert.is(inner.body.Reason, 'ConcurrentInvocationLimitExceeded')
})

crowding('300 first calls at once start no more environments than they may', async () => {
  await using lambent = await startLambent({ settings: { LAMBENT_MAX_ENVIRONMENTS: '4' } })
  await define(lambent, 'herd', WORKER)

  const answers = await within(
    'all answers',
    Promise.all(Array.from({ length: 300 }, () => invoke(lambent.url, 'herd', { for: 2 }))),
    30_000,
  )

  assert.is(answers.filter(({ status, error }) => status === 200 && !error).length, 300)
  const processes = new Set(answers.map(({ body }) => (body as { born: string }).born))
  assert.ok(processes.size <= 4, `${processes.size} processes answered`)
  assert.ok((await environmentsOf(lambent)).length <= 4)
})

crowding('an environment that cannot load is the answer to its share of those who wait', async () => {
  await using lambent = await startLambent()
  const code = `if (Math.random() < 0.3) process.exit(7)
    exports.handler = () => new Promise((resolve) => setTimeout(resolve, 40, 'loaded'))`
  await define(lambent, 'moody', code)

  const calls = Array.from({ length: 40 }, () => call(lambent, 'moody'))
  const answers = await within('all answers', Promise.all(calls), 20_000)

  assert.ok(answers.filter(({ body }) => body === 'loaded').length >= 10, 'one failure answered nearly all')
  for (const answer of answers.filter(({ functionError }) => functionError !== undefined))
    assert.is(failureOf(answer).errorType, 'Runtime.ExitError')
})

crowding('idle environments are stopped after a while, and sooner when others need the room', async () => {
  await using lambent = await startLambent({
    settings: { LAMBENT_MAX_ENVIRONMENTS: '3', LAMBENT_IDLE_TIMEOUT_MS: '500' },
  })
  const names = ['f1', 'f2', 'f3', 'f4', 'f5', 'f6']
  for (const name of names) await define(lambent, name, WORKER)

  for (const name of names) {
    const answer = await call(lambent, name)
    assert.is(answer.functionError, undefined)
    assert.is(answer.status, 200)
    assert.ok((await environmentsOf(lambent)).length <= 3)
  }
  const kept = (await environmentsOf(lambent)).map(({ functionName }) => functionName).sort()

  assert.ok(kept.includes('f6') && !kept.includes('f1'), `kept ${kept.join(', ')}`)
  await until('idle environments are stopped', async () => (await environmentsOf(lambent)).length === 0)
})

crowding.run()
