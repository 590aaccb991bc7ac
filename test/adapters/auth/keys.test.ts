import { readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { connect as connectTo } from 'node:net'
import { join } from 'node:path'
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  ListFunctionsCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../runtime/sdk/client.ts'
import { until, within } from '../../support/until.ts'
import { readUntil } from '../raw-client.ts'
import { failureOf, functionOf, startWithKeys, type RunningWithKeys } from './running.ts'
import { sign } from './signing.ts'

const keys = suite('an engine that asks for keys')

const ECHO = 'exports.handler = async (event) => ({ echo: event })'
const encoded = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const decoded = (payload: Uint8Array | undefined): unknown =>
  JSON.parse(Buffer.from(payload ?? []).toString())

async function withFunction(running: RunningWithKeys, name: string, text = ECHO): Promise<LambdaClient> {
  const admin = running.client(await running.key())
  await admin.send(new CreateFunctionCommand(functionOf(name, text)))
  return admin
}

keys('writes the first one to a file that only its owner may read, once', async () => {
  await using running = await startWithKeys()
  const path = join(running.data, 'first-key')
  const text = readFileSync(path, 'utf8')
  const value = (name: string): string => new RegExp(`^export ${name}=(\\S+)$`, 'm').exec(text)?.[1] ?? ''

  const client = running.client({ keyId: value('AWS_ACCESS_KEY_ID'), secret: value('AWS_SECRET_ACCESS_KEY') })
  const listed = await client.send(new ListFunctionsCommand({}))
  const nodes = await connect(running.api, { key: value('LAMBENT_KEY') }).nodes()

  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.equal(listed.Functions, [])
  assert.is(nodes.length, 1)
  assert.is(running.lambent.engine.keys.list().length, 1)
})

keys('lets AWS’s SDK in by its signature, on the front and behind it', async () => {
  await using running = await startWithKeys()
  const client = await withFunction(running, 'echo')

  const small = await client.send(new InvokeCommand({ FunctionName: 'echo', Payload: encoded({ ä: 1 }) }))
  const large = 'x'.repeat(400_000) // more than the front takes
  const big = await client.send(new InvokeCommand({ FunctionName: 'echo', Payload: encoded(large) }))
  const event = await client.send(
    new InvokeCommand({ FunctionName: 'echo', InvocationType: 'Event', Payload: encoded(1) }),
  )
  const streamed = await client.send(
    new InvokeWithResponseStreamCommand({
      FunctionName: 'arn:aws:lambda:us-east-1:000000000000:function:echo',
    }),
  )

  assert.equal(decoded(small.Payload), { echo: { ä: 1 } })
  assert.equal(decoded(big.Payload), { echo: large })
  assert.is(event.StatusCode, 202)
  assert.is(streamed.StatusCode, 200)
  const { Configuration, Code } = await client.send(new GetFunctionCommand({ FunctionName: 'echo' }))
  assert.is(Configuration?.FunctionName, 'echo')
  assert.is((await fetch(Code?.Location ?? '')).status, 200) // the link is its own proof
})

keys('refuses everybody else, by AWS’s names', async () => {
  await using running = await startWithKeys()
  await withFunction(running, 'echo')
  const key = await running.key()
  const invoke = () => new InvokeCommand({ FunctionName: 'echo', Payload: encoded(1) })

  const unknown = await failureOf(
    running.client({ keyId: 'AKIAIOSFODNN7EXAMPLE', secret: 'x' }).send(invoke()),
  )
  const forged = await failureOf(running.client({ ...key, secret: 'x' }).send(invoke()))
  const account = await failureOf(running.client({ keyId: '123456789012', secret: 'x' }).send(invoke()))
  const off = await failureOf(running.client(key, { systemClockOffset: -3_600_000 }).send(invoke()))

  assert.equal([unknown.status, forged.status, account.status, off.status], [403, 403, 403, 403])
  assert.is(unknown.name, 'UnrecognizedClientException')
  assert.is(account.name, 'UnrecognizedClientException')
  assert.is(forged.name, 'InvalidSignatureException')
  assert.match(off.message, /^Signature expired: /)
  for (const path of [
    '/2015-03-31/functions',
    '/2015-03-31/functions/echo/invocations',
    '/lambent/v1/health',
    '/lambent/v1/keys',
    '/lambent/v1/%6beys',
    '/metrics',
    '/',
    '/console',
  ])
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      const { status } = await fetch(running.api + path, { method })
      assert.ok(status === 401 || status === 403, `${method} ${path}: ${status}`)
    }
  assert.is(running.lambent.engine.health().environments, 0)
})

/** Sends bytes over one connection and gives everything that came back until the server closed it. */
function exchange(port: number, bytes: string): Promise<string> {
  const socket = connectTo(port, '127.0.0.1')
  socket.write(bytes)
  return within(
    'the server to close',
    readUntil(socket, () => false),
  )
}

keys('judges every request of a connection, whatever came before it', async () => {
  await using running = await startWithKeys()
  await withFunction(running, 'echo')
  const { keyId, secret } = await running.key()
  const { port } = new URL(running.api)
  const path = '/2015-03-31/functions/echo/invocations'
  const good = await sign({ path, body: '1', keyId, secret, atMs: Date.now() })
  const lines = (headers: readonly string[]): string =>
    headers.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
  const bytes = (headers: readonly string[], body: string): string =>
    `POST ${path} HTTP/1.1\r\n${lines(headers)}Content-Length: ${body.length}\r\n\r\n${body}`
  const bare = ['Host', 'localhost:4700']

  const answers = await exchange(
    Number(port),
    bytes(good.rawHeaders, '1') +
      bytes(good.rawHeaders, '1') +
      bytes(bare, '1') +
      bytes([...good.rawHeaders, 'Connection', 'close'], '1'),
  )
  const other = await exchange(Number(port), bytes([...good.rawHeaders, 'Connection', 'close'], '2'))

  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
  assert.equal(statuses, ['200', '200', '403', '200'])
  assert.match(other, /^HTTP\/1\.1 403/)
  assert.match(other, 'InvalidSignatureException')
})

keys('keeps to the scopes of a key', async () => {
  await using running = await startWithKeys()
  await withFunction(running, 'orders-new')
  await withFunction(running, 'secret')
  const invoker = running.client(await running.key({ scopes: ['invoke:orders-*'] }))
  const reader = running.client(await running.key({ scopes: ['read'] }))
  const deployer = running.client(await running.key({ scopes: ['deploy:team-*'], name: 'dep' }))
  const invoke = (FunctionName: string) => new InvokeCommand({ FunctionName })

  assert.is((await failureOf(invoker.send(invoke('orders-new')))).name, '')
  assert.is((await failureOf(invoker.send(invoke('secret')))).name, 'AccessDeniedException')
  assert.is((await failureOf(invoker.send(new ListFunctionsCommand({})))).name, 'AccessDeniedException')
  assert.is((await failureOf(reader.send(new ListFunctionsCommand({})))).name, '')
  assert.is((await failureOf(reader.send(invoke('secret')))).name, 'AccessDeniedException')
  assert.is((await failureOf(deployer.send(new CreateFunctionCommand(functionOf('team-a', ECHO))))).name, '')
  const denied = await failureOf(deployer.send(new CreateFunctionCommand(functionOf('other', ECHO))))
  const kept = await failureOf(deployer.send(new DeleteFunctionCommand({ FunctionName: 'secret' })))
  assert.is(denied.status, 403)
  assert.is(
    denied.message,
    'User: arn:aws:iam::000000000000:user/dep is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:other because no identity-based policy allows the lambda:CreateFunction action',
  )
  assert.is(kept.name, 'AccessDeniedException')
})

keys('an account is its keys’, not what a request says', async () => {
  await using running = await startWithKeys()
  await withFunction(running, 'echo')
  const other = await running.key({ account: '111122223333', scopes: ['deploy', 'invoke'] })
  const client = running.client(other)
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:echo'
  const bearing = (path: string) =>
    fetch(`${running.api}/lambent/v1/${path}`, { headers: { authorization: `Bearer ${other.token}` } })

  assert.equal((await client.send(new ListFunctionsCommand({}))).Functions, [])
  assert.is(
    (await failureOf(client.send(new InvokeCommand({ FunctionName: arn })))).name,
    'AccessDeniedException',
  )
  assert.is((await bearing('runs?account=000000000000')).status, 403)
  assert.is((await bearing('runs?scope=all')).status, 403)
  assert.is((await bearing('functions?account=000000000000')).status, 403)
  assert.is((await bearing('functions')).status, 200)
  assert.is((await bearing('keys')).status, 403)
})

keys('a run is shown to its own account alone', async () => {
  await using running = await startWithKeys()
  const admin = await withFunction(running, 'echo')
  const own = await running.key({ scopes: ['read:echo'] })
  const other = await running.key({ account: '111122223333', scopes: ['read'] })
  await admin.send(new InvokeCommand({ FunctionName: 'echo' }))
  const get = (path: string, token: string) =>
    fetch(`${running.api}/lambent/v1/${path}`, { headers: { authorization: `Bearer ${token}` } })
  const runId = await until('the run is recorded', async () => {
    const { runs } = (await (await get('runs?function=echo', own.token)).json()) as {
      runs: { runId: string }[]
    }
    return runs[0]?.runId
  })

  assert.is((await get(`runs/${runId}`, own.token)).status, 200)
  assert.is((await get(`runs/${runId}/logs`, own.token)).status, 200)
  assert.is((await get(`runs/${runId}`, other.token)).status, 404)
  assert.is((await get(`runs/${runId}/logs`, other.token)).status, 404)
  assert.is((await get('runs', own.token)).status, 403)
})

/** A handler that signs with its own credentials, by hand, as the documentation of AWS says. */
const SIGNING = `
const { createHash, createHmac } = require('node:crypto')
const sha = (text) => createHash('sha256').update(text).digest('hex')
const mac = (key, text) => createHmac('sha256', key).update(text).digest()
async function call(method, path, body = '') {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = process.env
  const { AWS_REGION: region, AWS_ENDPOINT_URL_LAMBDA: endpoint } = process.env
  const time = new Date().toISOString().replace(/[-:]|\\.\\d{3}/g, '')
  const names = 'host;x-amz-date;x-amz-security-token'
  const headers = 'host:' + new URL(endpoint).host + '\\nx-amz-date:' + time + '\\nx-amz-security-token:' + token + '\\n'
  const canonical = [method, path, '', headers, names, sha(body)].join('\\n')
  const scope = [time.slice(0, 8), region, 'lambda', 'aws4_request']
  const key = scope.reduce(mac, 'AWS4' + secret)
  const signature = mac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), sha(canonical)].join('\\n')).toString('hex')
  return fetch(endpoint + path, {
    method,
    headers: {
      'x-amz-date': time,
      'x-amz-security-token': token,
      authorization: 'AWS4-HMAC-SHA256 Credential=' + id + '/' + scope.join('/') + ', SignedHeaders=' + names + ', Signature=' + signature,
    },
    ...(body === '' ? {} : { body }),
  })
}
exports.handler = async () => {
  const invoked = await call('POST', '/2015-03-31/functions/echo/invocations', '7')
  const listed = await call('GET', '/2015-03-31/functions')
  return { answer: await invoked.text(), denied: listed.headers.get('x-amzn-errortype'), env: process.env }
}`

keys('a function calls others with credentials of its own, and can do nothing else', async () => {
  await using running = await startWithKeys()
  await withFunction(running, 'echo')
  const { keyId, secret } = await running.key()
  await withFunction(running, 'caller', SIGNING)

  const { Payload } = await running
    .client({ keyId, secret })
    .send(new InvokeCommand({ FunctionName: 'caller' }))
  const { answer, denied, env } = decoded(Payload) as {
    answer: string
    denied: string | null
    env: Record<string, string>
  }

  assert.equal(JSON.parse(answer), { echo: 7 })
  assert.is(denied, 'AccessDeniedException')
  const session = {
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    sessionToken: env['AWS_SESSION_TOKEN'] ?? '',
  }
  const sts = new STSClient({ endpoint: running.api, region: 'us-east-1', credentials: session })
  const { Arn } = await sts.send(new GetCallerIdentityCommand({}))
  assert.is(Arn, 'arn:aws:sts::000000000000:assumed-role/lambent/caller')
  const admin = running.client({ keyId, secret })
  await admin.send(new DeleteFunctionCommand({ FunctionName: 'caller' }))
  await until('the credentials have ended with their environment', async () => {
    const { name } = await failureOf(sts.send(new GetCallerIdentityCommand({})))
    return name === 'InvalidClientTokenId'
  })
  sts.destroy()
})

keys('a key that is revoked over the API opens nothing from then on', async () => {
  await using running = await startWithKeys()
  const admin = await running.key()
  const call = (method: string, path: string, body?: object) =>
    fetch(`${running.api}/lambent/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${admin.token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const made = (await (await call('POST', 'keys', { name: 'ci', scopes: ['read'] })).json()) as {
    keyId: string
    secret: string
    token: string
  }
  const client = running.client(made)
  assert.is((await failureOf(client.send(new ListFunctionsCommand({})))).name, '')

  const listed = (await (await call('GET', 'keys')).json()) as { keys: object[] }
  const revoked = await call('DELETE', `keys/${made.keyId}`)

  assert.is(revoked.status, 200)
  assert.ok(listed.keys.every((key) => !('secret' in key) && !('token' in key)))
  assert.is((await failureOf(client.send(new ListFunctionsCommand({})))).name, 'UnrecognizedClientException')
  assert.is((await call('DELETE', `keys/${made.keyId}`)).status, 404)
  assert.is((await call('POST', 'keys', { scopes: ['everything'] })).status, 400)
})

keys('an open engine takes everybody, but holds those who name a key of its own to it', async () => {
  await using running = await startWithKeys({ auth: 'open' })
  assert.is(running.lambent.ownKey, undefined)
  assert.is((await fetch(`${running.api}/lambent/v1/health`)).status, 200)
  const key = await running.key({ scopes: ['read'] })
  const list = () => new ListFunctionsCommand({})

  assert.is((await failureOf(running.client({ keyId: 'test', secret: 'test' }).send(list()))).name, '')
  assert.is((await failureOf(running.client(key).send(list()))).name, '')
  assert.is(
    (await failureOf(running.client({ ...key, secret: 'x' }).send(list()))).name,
    'InvalidSignatureException',
  )
  const created = await failureOf(running.client(key).send(new CreateFunctionCommand(functionOf('a', ECHO))))
  assert.is(created.name, 'AccessDeniedException')
  const stray = await fetch(`${running.api}/lambent/v1/health`, {
    headers: { authorization: 'Bearer lmb_x' },
  })
  assert.is(stray.status, 200)
})

keys('with keys it may be bound to more than loopback', async () => {
  await using running = await startWithKeys({ host: '0.0.0.0' })
  const { token } = await running.key()
  const status = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request(`${running.api}/lambent/v1/health`, { headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })

  assert.is(await status({}), 401)
  assert.is(await status({ authorization: `Bearer ${token}` }), 200)
  assert.is(await status({ authorization: `Bearer ${token}`, host: 'evil.test' }), 421)
})

keys.run()
