// time limit: 400 s
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { getRequestListener } from '@hono/node-server'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PackageLayout } from '../../deploy/bundle-packages.ts'
import { readContent, writeZip, type ZipContents } from '../../deploy/bundle-zip.ts'
import { deployFolder, type DeployedFunction } from '../../deploy/deployer.ts'
import { deploy, startLambent, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { ask, essence, type Asked, type Served } from './served.ts'

/**
 * Libraries that people build functions with, unmodified, behind function URLs and routes. Web frameworks
 * must answer as they do when they serve themselves, byte for byte; the others as worked out here.
 */
const libraries = suite('libraries')

const here = dirname(fileURLToPath(import.meta.url))
const apps = join(here, 'apps')
const missing = existsSync(join(here, 'node_modules', 'express'))
  ? undefined
  : 'the libraries are not installed; run `npm ci --prefix test/libraries`'
const runs = unlessMissing(libraries, missing)

interface World {
  readonly lambent: RunningLambent
  readonly deployed: ReadonlyMap<string, DeployedFunction>
}

let started: Promise<World> | undefined
const world = (): Promise<World> => (started ??= start())

async function start(): Promise<World> {
  const lambent = await startLambent()
  const deployed = await deployFolder([here], { endpoint: lambent.url })
  return { lambent, deployed: new Map(deployed.map((one) => [one.name, one])) }
}

/** The address of a function's URL by path. */
async function urlOf(name: string): Promise<string> {
  const { lambent, deployed } = await world()
  const url = deployed.get(name)?.url
  if (url === undefined) throw new Error(`${name} has no URL`)
  return `${lambent.httpUrl}/lambda-url/${new URL(url).hostname.split('.')[0]}/`
}

const call = async (name: string, asked: Asked): Promise<Served> => await ask(await urlOf(name), asked)
const text = ({ status, body }: Served): [number, string] => [status, body.toString('utf8')]

// Web frameworks

/** An app served by its own library's server. */
async function serveApp(file: string): Promise<AsyncDisposable & { readonly url: string }> {
  // the apps are JavaScript with packages of their own: nothing is known of their types here
  const { createApp } = (await import(pathToFileURL(join(apps, `${file}.mjs`)).href)) as {
    createApp: () => never
  }
  const app = createApp() as
    | RequestListener
    | { listen: (options: object) => Promise<string>; close: () => Promise<void> }
    | { fetch: Parameters<typeof getRequestListener>[0] }
  if ('listen' in app && 'inject' in app) {
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url, [Symbol.asyncDispose]: () => app.close() }
  }
  const listener = 'fetch' in app ? getRequestListener(app.fetch) : (app as RequestListener)
  const server: Server = createServer((request, response) => void listener(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // bound to TCP, so never a path
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const BYTES = randomBytes(100_000)
const REQUESTS: readonly Asked[] = [
  { path: '/pets/7?colour=red&colour=blue&name=a%20b%26c' },
  { path: '/pets/caf%C3%A9' },
  { path: '/json', body: '{"text":"grüße","list":[1,2.5,null]}', headers: JSON_TYPE },
  { path: '/bytes', body: BYTES, headers: { 'content-type': 'application/octet-stream' } },
  { path: '/text' },
  { path: '/cookies', headers: { cookie: 'a=1; b=2' } },
  { path: '/moved' },
  { path: '/fails' },
  { path: '/nowhere' },
  { path: '/pets/7', method: 'HEAD' },
]
const MORE: readonly Asked[] = [
  { path: '/form', body: 'a=1&b=%C3%BC', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  { path: '/page' },
]

const FRAMEWORKS: readonly (readonly [name: string, app: string, requests: readonly Asked[]])[] = [
  ['serverless-http', 'express-app', [...REQUESTS, ...MORE, { path: '/empty' }]],
  ['serverless-express', 'express-app', [...REQUESTS, ...MORE, { path: '/empty' }]],
  ['fastify', 'fastify-app', [...REQUESTS, { path: '/empty' }]],
  ['hono', 'hono-app', [...REQUESTS, ...MORE, { path: '/stream' }]],
  ['hono-stream', 'hono-app', [...REQUESTS, ...MORE, { path: '/stream' }]],
]

for (const [name, app, requests] of FRAMEWORKS)
  runs(`${name} answers at a function URL as ${app} does by itself`, async () => {
    await using own = await serveApp(app)
    const url = await urlOf(name)

    for (const asked of requests) {
      const expected = essence(await ask(own.url, asked))
      assert.equal(essence(await ask(url, asked)), expected, `${name} ${asked.path}`)
    }
  })

for (const payload of ['1.0', 'rest', 'alb'])
  runs(
    `serverless-http and hono answer behind routes with payload ${payload} as they do by themselves`,
    async () => {
      const { lambent } = await world()
      using folder = temporaryDirectory()
      const region = `test-${['1.0', 'rest', 'alb'].indexOf(payload)}`
      for (const [name, app] of [
        ['serverless-http', 'express-app'],
        ['hono', 'hono-app'],
      ] as const) {
        const settings = { function: name, payload, ...(payload === 'alb' ? { multiValue: true } : {}) }
        const config = {
          functions: { [name]: { entry: join(apps, `${name}.mjs`) } },
          routes: { $default: settings },
        }
        writeFileSync(folder.join('lambent.config.mjs'), `export default ${JSON.stringify(config)}`)
        await deployFolder([folder.path], { endpoint: lambent.url, region })
        const held = await fetch(`${lambent.url}/lambent/v1/routes?region=${region}`)
        const { urlByHost } = (await held.json()) as { urlByHost: string }
        await using own = await serveApp(app)

        for (const asked of [...REQUESTS, ...MORE]) {
          const expected = essence(await ask(own.url, asked))
          const answer = await ask(lambent.httpUrl, asked, new URL(urlByHost).host)
          assert.equal(essence(answer), expected, `${name} ${payload} ${asked.path}`)
        }
      }
    },
  )

runs('express runs from a raw zip with node_modules as it is', async () => {
  const { lambent } = await world()
  const contents: ZipContents = new Map()
  const layout = new PackageLayout()
  for (const name of ['express', 'serverless-http']) assert.ok(layout.add(name, apps), name)
  layout.copyInto(contents)
  contents.set('index.mjs', readContent(join(apps, 'serverless-http.mjs')))
  contents.set('express-app.mjs', readContent(join(apps, 'express-app.mjs')))
  await deploy(lambent.url, 'raw', await writeZip(contents))
  const made = await fetch(`${lambent.url}/2021-10-31/functions/raw/url`, {
    method: 'POST',
    body: JSON.stringify({ AuthType: 'NONE' }),
  })
  const { FunctionUrl } = (await made.json()) as { FunctionUrl: string }
  const url = `${lambent.httpUrl}/lambda-url/${new URL(FunctionUrl).hostname.split('.')[0]}/`
  await using own = await serveApp('express-app')

  for (const asked of [...REQUESTS, ...MORE])
    assert.equal(essence(await ask(url, asked)), essence(await ask(own.url, asked)), asked.path)
})

// Everything else

runs('middy parses bodies and answers for a body that is none', async () => {
  const headers = JSON_TYPE

  assert.equal(text(await call('middy', { path: '/', headers, body: '{"a":[1]}' })), [
    201,
    '{"got":{"a":[1]},"type":"object"}',
  ])
  assert.is((await call('middy', { path: '/', headers, body: '{"a"' })).status, 415)
  assert.is(
    (await call('middy', { path: '/', headers: { 'content-type': 'text/plain' }, body: 'x' })).status,
    415,
  )
})

runs('Powertools: logger, metrics and tracer write what they write on AWS', async () => {
  const { lambent } = await world()
  const answer = await call('powertools-observed', { path: '/dog' })

  assert.equal(text(answer), [200, '{"fed":true,"traced":true}'])
  const requestId = String(answer.headers['x-amzn-requestid'])
  const logs = `${lambent.url}/lambent/v1/functions/powertools-observed/logs?requestId=${requestId}`
  const { lines } = (await (await fetch(logs)).json()) as { lines: { message: string }[] }
  const objects = lines.flatMap(({ message }) => parsed(message))
  const entry = objects.find(({ message }) => message === 'fed')
  assert.equal(
    [entry?.level, entry?.service, entry?.path, entry?.function_name, entry?.function_request_id],
    ['INFO', 'pets', '/dog', 'powertools-observed', requestId],
  )
  const metric = objects.find((one) => '_aws' in one)
  assert.equal([metric?.feedings, metric?.service], [1, 'pets'])
})

runs('Powertools: event handler routes, makes and catches', async () => {
  assert.equal(text(await call('powertools-http', { path: '/pets/7?colour=red' })), [
    200,
    '{"id":"7","colour":"red"}',
  ])
  assert.equal(text(await call('powertools-http', { path: '/pets', headers: JSON_TYPE, body: '{"a":1}' })), [
    201,
    '{"made":{"a":1}}',
  ])
  assert.is((await call('powertools-http', { path: '/nowhere' })).status, 418) // its own error handler
  assert.match((await call('powertools-http', { path: '/fails' })).body.toString(), '"failed":"no"')
})

runs('Powertools: parser takes the whole event of a URL and the order in its body', async () => {
  const post = (body: string): Promise<Served> =>
    call('powertools-parser', { path: '/', headers: JSON_TYPE, body })

  assert.equal(text(await post('{"item":"tea","quantity":2}')), [200, '{"item":"tea","quantity":2}'])
  assert.equal(text(await post('{"item":"tea","quantity":0}')), [422, 'ParseError'])
})

runs('Powertools: batch says which records failed', async () => {
  const record = (messageId: string, body: string) => ({ messageId, body, eventSource: 'aws:sqs' })
  const event = { Records: [record('1', 'good'), record('2', 'bad'), record('3', 'good')] }

  const answer = await call('powertools-batch', {
    path: '/',
    headers: JSON_TYPE,
    body: JSON.stringify(event),
  })

  assert.equal(text(answer), [200, '{"batchItemFailures":[{"itemIdentifier":"2"}]}'])
})

runs('Powertools: idempotency runs an order once', async () => {
  const order = async (id: string): Promise<[number, string]> =>
    text(
      await call('powertools-idempotency', {
        path: '/',
        headers: JSON_TYPE,
        body: JSON.stringify({ order: id }),
      }),
    )

  assert.equal(await order('a'), [200, '{"charges":1,"order":"a"}'])
  assert.equal(await order('a'), [200, '{"charges":1,"order":"a"}'])
  assert.equal(await order('b'), [200, '{"charges":2,"order":"b"}'])
})

runs('Powertools: parameters are read once and transformed', async () => {
  const answer = await call('powertools-parameters', { path: '/' })

  assert.equal(text(answer), [200, '[{"name":"a","reads":1},{"name":"a","reads":1}]'])
})

runs('Sentry wraps a handler and captures what it throws', async () => {
  const failed = await call('sentry', { path: '/fails' })
  const answer = await call('sentry', { path: '/' })

  assert.equal(text(failed), [502, 'Internal Server Error'])
  assert.equal(text(answer), [200, '{"events":1}'])
})

runs('the X-Ray SDK finds its trace', async () => {
  const root = '1-5759e988-bd862e3fe1be46a994272793'
  const headers = { 'x-amzn-trace-id': `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1` }

  assert.equal(text(await call('xray', { path: '/', headers })), [200, `{"root":"${root}","traced":"work"}`])
})

runs('stop cleanly in the end', async () => {
  assert.is(await (await world()).lambent.stop(), 0)
})

libraries.run()

function parsed(message: string): Record<string, unknown>[] {
  try {
    return [JSON.parse(message) as Record<string, unknown>] // the functions log objects
  } catch {
    return [] // a line of the platform
  }
}
