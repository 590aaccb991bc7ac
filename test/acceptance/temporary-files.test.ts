// time limit: 180 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { call, failureOf } from '../support/function-calls.ts'
import { active, deploy, startLambent, zipOf } from '../support/lambent.ts'

/** /tmp belongs to Lambda's sandbox, which outlives a runtime that breaks in it. */
const files = suite('temporary files')

const CODE = `const fs = require('node:fs')
let calls = 0
exports.handler = async (event) => {
  calls += 1
  if (event.write) { fs.mkdirSync('/tmp/deep', { recursive: true }); fs.appendFileSync('/tmp/deep/file', event.write) }
  if (event.exit) process.exit(event.exit)
  if (event.sleep) await new Promise(() => setInterval(() => {}, 1000))
  return { calls, text: fs.existsSync('/tmp/deep/file') ? fs.readFileSync('/tmp/deep/file', 'utf8') : null }
}`

files('what a broken environment left there is there for the next one, which may change it', async () => {
  await using lambent = await startLambent()
  await deploy(lambent.url, 'kept', await zipOf({ 'index.js': CODE }), { timeoutSeconds: 1 })

  await call(lambent, 'kept', { write: 'a' })
  const left = await call(lambent, 'kept', { exit: 3 })
  const afterExit = await call(lambent, 'kept', { write: 'b' })
  const late = await call(lambent, 'kept', { sleep: true })
  const afterTimeout = await call(lambent, 'kept', { write: 'c' })

  assert.is(failureOf(left).errorType, 'Runtime.ExitError')
  assert.is(failureOf(late).errorType, 'Sandbox.Timedout')
  assert.equal(afterExit.body, { calls: 1, text: 'ab' })
  assert.equal(afterTimeout.body, { calls: 1, text: 'abc' })
})

files('another function, and the same one once it was changed, find nothing', async () => {
  await using lambent = await startLambent()
  const zip = await zipOf({ 'index.js': CODE })
  for (const name of ['first', 'second']) await deploy(lambent.url, name, zip, { timeoutSeconds: 5 })
  await call(lambent, 'first', { write: 'mine', exit: 1 })

  const other = await call(lambent, 'second')
  const url = `${lambent.url}/2015-03-31/functions/first/configuration`
  const answer = await fetch(url, {
    method: 'PUT',
    body: JSON.stringify({ Description: 'new', Environment: { Variables: { NEW: 'b' } } }),
  })
  assert.is(answer.status, 200, await answer.text())
  await active(lambent.url, 'first')
  const changed = await call(lambent, 'first')

  assert.equal(other.body, { calls: 1, text: null })
  assert.equal(changed.body, { calls: 1, text: null })
})

files.run()
