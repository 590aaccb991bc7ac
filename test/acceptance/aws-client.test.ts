// time limit: 1200 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { awsClientFiles } from '../support/aws-client.ts'
import { call, failureOf, logOf } from '../support/function-calls.ts'
import { deploy, invokeUrl, startLambent, zipOf, type DeployOptions } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'

/** AWS's own runtime client for Node.js, unmodified, on the Runtime API. */
const all = suite("AWS's runtime client")

const HANDLERS = `exports.handler = async (event, context) => {
  console.log('handling')
  if (event.fail) throw new TypeError('on purpose')
  return { event, id: context.awsRequestId, node: process.versions.node, left: context.getRemainingTimeInMillis() }
}
exports.stream = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('begun;')
  stream.write('x'.repeat(300_000))
  if (event.fail) throw new RangeError('too late')
  stream.end()
})`

/** Where each version starts, and how a function gets it to start. */
const CLIENTS = [
  {
    version: '3.3.0',
    entry: 'bin/index.mjs',
    starter: 'bootstrap',
    options: { runtime: 'provided.al2023' },
    minimum: 20,
  },
  {
    version: '4.0.2',
    entry: 'index.mjs',
    starter: 'starter',
    // Its Node.js is fetched by the runtime; the wrapper starts another client in place of ours.
    options: { runtime: 'nodejs22.x', variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/starter' } },
    minimum: 22,
  },
] as const

for (const { version, entry, starter, options, minimum } of CLIENTS) {
  const files = awsClientFiles(version)
  const client = unlessMissing(all, typeof files === 'string' ? files : undefined)
  const program = `#!/bin/sh\nexec node /var/task/node_modules/aws-lambda-ric/${entry} "$_HANDLER"\n`
  const zip = (): Promise<Buffer> =>
    zipOf({ ...(files as Exclude<typeof files, string>), 'index.js': HANDLERS, [starter]: { program } })
  const wish: DeployOptions = options

  client(`${version}: answers, fails, logs and goes on`, async () => {
    await using lambent = await startLambent()
    await deploy(lambent.url, 'client', await zip(), wish)

    const first = await call(lambent, 'client', { a: 'ä' })
    const body = first.body as { event: unknown; id: string; node: string; left: number }
    if (first.functionError !== undefined && minimum > Number(process.versions.node.split('.')[0])) {
      // Without a registry the engine's own Node.js runs it, which is too old for this client.
      assert.match(lambent.stderr(), /a Node.js version cannot be had/)
      return
    }
    const failed = await call(lambent, 'client', { fail: true })
    const again = await call(lambent, 'client', { a: 2 })

    assert.equal([body.event, body.id], [{ a: 'ä' }, first.requestId])
    assert.ok(Number(body.node.split('.')[0]) >= minimum)
    assert.ok(body.left > 0 && body.left <= 60_000)
    const lines = await logOf(lambent, first.requestId)
    assert.match(lines[1] ?? '', new RegExp(`^\\S+Z\\t${first.requestId}\\tINFO\\thandling$`))
    assert.is(failureOf(failed).errorType, 'TypeError')
    assert.is(failureOf(failed).trace?.[0], 'TypeError: on purpose')
    assert.equal((again.body as { event: unknown }).event, { a: 2 })
  })

  client(`${version}: streams, and tells of a failure in the trailers`, async () => {
    await using lambent = await startLambent()
    await deploy(lambent.url, 'client', await zip(), { ...wish, handler: 'index.stream' })
    const url = invokeUrl(lambent.url, 'client').replace('2015-03-31', '2021-11-15')
    const stream = async (event: object): Promise<string> => {
      const path = url.replace('/invocations', '/response-streaming-invocations')
      const response = await fetch(path, { method: 'POST', body: JSON.stringify(event) })
      return Buffer.from(await response.arrayBuffer()).toString('latin1')
    }

    const whole = await stream({})
    const broken = await stream({ fail: true })

    for (const text of [whole, broken]) {
      assert.match(text, /begun;/)
      assert.ok((text.match(/x/g)?.length ?? 0) >= 300_000)
    }
    assert.match(whole, /InvokeComplete.*application\/json\{\}/s)
    assert.match(broken, /"ErrorCode":"Unhandled","ErrorDetails":"\{\\"errorType\\":\\"RangeError\\"/)
  })
}

all.run()
