// time limit: 240 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { call, failureOf, logOf } from '../support/function-calls.ts'
import { deploy, invokeUrl, startLambent, zipOf } from '../support/lambent.ts'

/** AWS_LAMBDA_EXEC_WRAPPER: a program of the function's own that starts the runtime. */
const wrappers = suite('wrapper programs')

const variables = { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper', GIVEN: 'by the function' }
/** As AWS shows it: one more argument in front of the last, and variables of its own. */
const WRAPPER = {
  program: `#!/bin/bash
echo "wrapping $1"
export WRAPPED=yes
args=("$@")
exec "\${args[@]:0:$#-1}" --stack-trace-limit=1 "\${args[@]: -1}"
`,
}
const HANDLER = `exports.handler = async (event, context) => {
  console.log('handling')
  if (event.exit !== undefined) process.exit(event.exit)
  if (event.fail) throw new TypeError('on purpose')
  if (event.sleep) await new Promise(() => setInterval(() => {}, 1000))
  const { WRAPPED, GIVEN, NODE_OPTIONS, PATH } = process.env
  return { event, WRAPPED, GIVEN, limit: Error.stackTraceLimit, id: context.awsRequestId,
    left: Object.keys(process.env).filter((name) => name.startsWith('LAMBENT_')), files: require('fs').readdirSync('/tmp') }
}`

wrappers('Node.js is started through it, and goes on as it does without one', async () => {
  await using lambent = await startLambent()
  await deploy(lambent.url, 'wrapped', await zipOf({ 'index.js': HANDLER, wrapper: WRAPPER }), { variables })

  const first = await call(lambent, 'wrapped', { a: [1] })
  const second = await call(lambent, 'wrapped', { fail: true })

  const { files, ...answer } = first.body as { files: string[] }
  assert.equal(answer, {
    event: { a: [1] },
    WRAPPED: 'yes',
    GIVEN: 'by the function',
    limit: 1,
    id: first.requestId,
    left: [],
  })
  assert.equal(files, [])
  const lines = await logOf(lambent, first.requestId)
  assert.match(lines[1] ?? '', new RegExp(`\\t${first.requestId}\\tINFO\\thandling$`))
  assert.match(lines.at(-1) ?? '', /\tInit Duration: /)
  assert.is(failureOf(second).errorType, 'TypeError')
  assert.match(second.tail, /ERROR\tInvoke Error/)
})

wrappers('a process that ends behind it is told as without one', async () => {
  await using lambent = await startLambent()
  const options = { variables, timeoutSeconds: 1 }
  await deploy(lambent.url, 'wrapped', await zipOf({ 'index.js': HANDLER, wrapper: WRAPPER }), options)

  const left = await call(lambent, 'wrapped', { exit: 7 })
  const late = await call(lambent, 'wrapped', { sleep: true })
  const fine = await call(lambent, 'wrapped')

  assert.match(failureOf(left).errorMessage, /Error: Runtime exited with error: exit status 7$/)
  assert.match(failureOf(late).errorMessage, /Error: Task timed out after 1\.00 seconds$/)
  assert.is(fine.functionError, undefined)
})

wrappers('one that is not there, or not a program, ends as a shell says', async () => {
  await using lambent = await startLambent()
  await deploy(lambent.url, 'absent', await zipOf({ 'index.js': HANDLER }), { variables })
  const files = { 'index.js': HANDLER, wrapper: { ...WRAPPER, mode: 0o644 } }
  await deploy(lambent.url, 'mode', await zipOf(files), { variables })

  const absent = await call(lambent, 'absent')
  const mode = await call(lambent, 'mode')

  assert.is(failureOf(absent).errorType, 'Runtime.ExitError')
  assert.match(failureOf(absent).errorMessage, /Error: Runtime exited with error: exit status 127$/)
  assert.match(failureOf(mode).errorMessage, /Error: Runtime exited with error: exit status 126$/)
})

wrappers('a response stream goes through as it is written', async () => {
  await using lambent = await startLambent()
  const code = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    for (let part = 0; part < 40; part++) stream.write(Buffer.alloc(100_000, 65 + part % 26))
    stream.end()
  })`
  await deploy(lambent.url, 'stream', await zipOf({ 'index.js': code, wrapper: WRAPPER }), { variables })

  const url = invokeUrl(lambent.url, 'stream').replace('2015-03-31', '2021-11-15')
  const response = await fetch(url.replace('/invocations', '/response-streaming-invocations'), {
    method: 'POST',
  })

  assert.is(response.status, 200)
  assert.ok((await response.arrayBuffer()).byteLength > 4_000_000)
})

wrappers.run()
