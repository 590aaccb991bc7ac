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
import { startLambent, type RunningLambent } from '../support/lambent.ts'
import { until, within } from '../support/until.ts'
import { ENDINGS, type Ending } from './misbehaviours.ts'

/**
 * Handlers that end badly: the caller gets AWS's answer, REPORT and record say the same, and the next call
 * works, in a
 * fresh process where the old one died.
 */
const ending = suite('a handler that')

let started: Promise<RunningLambent> | undefined
const engine = (): Promise<RunningLambent> => (started ??= startLambent())

const bornOf = ({ body }: Answer): unknown => (body as { born?: unknown } | null)?.born

/** Calls a good, a bad and a good one; what is told about the bad one must be right. */
async function checkEnding(lambent: RunningLambent, name: string, expected: Ending): Promise<void> {
  const options = expected.runtime === undefined ? {} : { runtime: expected.runtime }
  await define(lambent, name, expected.code, { timeoutSeconds: 5, ...options })
  const before = await call(lambent, name)

  const bad = await within(`the answer of ${name}`, call(lambent, name, { bad: true }))
  const after = await call(lambent, name)

  assert.is(bad.status, 200)
  assert.is(bad.functionError, 'Unhandled')
  const failure = failureOf(bad)
  assert.is(failure.errorType, expected.errorType, `${name}: ${JSON.stringify(failure)}`)
  assert.match(failure.errorMessage, expected.message)
  assert.is(after.functionError, undefined, `${name} after: ${JSON.stringify(after.body)}`)
  assert.is(bornOf(before) === bornOf(after), expected.survives === true, `${name}: fresh or same`)
  const run = await runOf(lambent, bad.requestId)
  assert.is(run.status, expected.status, name)
  assert.is(run.errorType, expected.errorType)
  assert.ok(run.maxMemoryMb >= 0 && run.durationMs > 0 && run.durationMs < 5000)
  const report = (await logOf(lambent, bad.requestId)).at(-1) ?? ''
  assert.match(report, new RegExp(`^REPORT RequestId: ${bad.requestId}\tDuration: `))
  assert.is(/\t(Status: .*)$/.exec(report)?.[1], expected.report, `${name}: ${report}`)
  assert.match(bad.tail, report.slice(0, 60))
}

for (const [name, one] of Object.entries(ENDINGS)) {
  ending(one.does, async () => checkEnding(await engine(), name, one))
}

ending('exits after its reply costs the caller nothing, and the next call gets a fresh one', async () => {
  const lambent = await engine()
  await define(
    lambent,
    'late-exit',
    `const born = Math.random()
     exports.handler = async (event) => {
       if (event.bad) setTimeout(() => process.exit(4), 30)
       return { born } }`,
  )

  const bad = await call(lambent, 'late-exit', { bad: true })
  await until('its process is gone', async () => (await environmentsOf(lambent, 'late-exit')).length === 0)
  const after = await call(lambent, 'late-exit')

  assert.is(bad.functionError, undefined)
  assert.is(after.functionError, undefined)
  assert.is.not(bornOf(after), bornOf(bad))
  assert.is((await runOf(lambent, bad.requestId)).status, 'succeeded')
})

ending('exits while its module loads is answered as an exit, every time', async () => {
  const lambent = await engine()
  await define(lambent, 'exits-in-init', 'process.exit(5)')

  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = await call(lambent, 'exits-in-init')
    assert.is(failureOf(answer).errorType, 'Runtime.ExitError')
    assert.match(failureOf(answer).errorMessage, /Error: Runtime exited with error: exit status 5$/)
    assert.is((await runOf(lambent, answer.requestId)).status, 'crashed')
  }
})

ending('has ended in all these ways leaves an engine that stops at once', async () => {
  assert.is(await (await engine()).stop(), 0)
})

ending.run()
