import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { CreateFunctionCommand, CreateFunctionUrlConfigCommand, InvokeCommand } from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../../runtime/config.ts'
import { rejectsWith } from '../../support/assert.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { failureOf, functionOf, startWithKeys } from './running.ts'

const tls = suite('TLS')

const file = (name: string): string => fileURLToPath(new URL(`tls/${name}`, import.meta.url))
const CERTIFICATE = { 'tls-cert': file('server.pem'), 'tls-key': file('server-key.pem') }
const ca = readFileSync(file('ca.pem'))

function get(url: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ca, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
}

tls('AWS’s SDK invokes over it, on kept-alive connections, and functions call back', async () => {
  await using running = await startWithKeys(CERTIFICATE)
  const httpsAgent = new Agent({ ca, keepAlive: true, maxSockets: 4 })
  const key = await running.key()
  const client = running.client(key, { requestHandler: { httpsAgent } })
  const FETCH = `exports.handler = async (event) => {
    const { status } = await fetch(process.env.AWS_ENDPOINT_URL_LAMBDA + '/2015-03-31/functions')
    return { event, status }
  }`
  await client.send(new CreateFunctionCommand(functionOf('echo', FETCH)))

  assert.match(running.api, /^https:\/\/127\.0\.0\.1:\d+$/)
  assert.match(running.lambent.urls.ingress, /^https:/)
  const invoke = (Payload: string) => client.send(new InvokeCommand({ FunctionName: 'echo', Payload }))
  const answers = await Promise.all(Array.from({ length: 12 }, (_, at) => invoke(String(at))))
  const large = await invoke(JSON.stringify('x'.repeat(400_000)))

  answers.forEach(({ Payload }, at) =>
    assert.equal(JSON.parse(Buffer.from(Payload ?? []).toString()), { event: at, status: 403 }),
  )
  assert.is(JSON.parse(Buffer.from(large.Payload ?? []).toString()).event.length, 400_000)
  httpsAgent.destroy()
})

tls('function URLs are served over it, and say so', async () => {
  await using running = await startWithKeys(CERTIFICATE)
  const client = running.client(await running.key(), {
    requestHandler: { httpsAgent: new Agent({ ca }) },
  })
  await client.send(new CreateFunctionCommand(functionOf('echo', 'exports.handler = async (event) => event')))
  const made = await client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName: 'echo', AuthType: 'NONE' }),
  )
  const { protocol, hostname } = new URL(made.FunctionUrl ?? '')

  const { status, text } = await get(`${running.lambent.urls.ingress}/lambda-url/${hostname.split('.')[0]}/x`)

  assert.is(protocol, 'https:')
  assert.is(status, 200)
  assert.is(JSON.parse(text).headers['x-forwarded-proto'], 'https')
})

tls('a page of its own origin is let in, one of another scheme is not', async () => {
  await using running = await startWithKeys({ ...CERTIFICATE, auth: 'open' })
  const { host } = new URL(running.api)

  assert.is((await get(`${running.api}/lambent/v1/health`, { origin: `https://${host}` })).status, 200)
  assert.is((await get(`${running.api}/lambent/v1/health`, { origin: `http://${host}` })).status, 403)
})

tls('speaks to nobody in the clear, and stops with connections open', async () => {
  await using running = await startWithKeys(CERTIFICATE)
  const plain = await failureOf(fetch(running.api.replace('https:', 'http:')))

  assert.is.not(plain.name, '')
  const agent = new Agent({ ca, keepAlive: true })
  await new Promise<void>((resolve, reject) => {
    request(`${running.api}/lambent/v1/health`, { agent }, (response) =>
      response.resume().on('end', () => resolve()),
    )
      .on('error', reject)
      .end()
  })
  await running.lambent.stop()
  agent.destroy()
})

tls('files that are no certificate with its key are refused before anything starts', async () => {
  using folder = temporaryDirectory()
  const missing = folder.join('none.pem')

  const absent = await rejectsWith(startWithKeys({ ...CERTIFICATE, 'tls-cert': missing }), 'invalid')
  const other = await rejectsWith(startWithKeys({ ...CERTIFICATE, 'tls-cert': file('ca.pem') }), 'invalid')

  assert.match(absent.message, missing)
  assert.match(other.message, 'no certificate with its key')
  assert.throws(() => readConfig({ 'tls-cert': 'a.pem' }), /--tls-cert .* and --tls-key .* go together/)
})

tls.run()
