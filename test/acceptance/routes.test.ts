import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startKeyServer } from '../adapters/ingress/key-server.ts'
import { runCli } from '../support/cli.ts'
import { startLambent } from '../support/lambent.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'

/** Routes of a project on the built program: deployed, called, taken away, still there after a restart. */
const routes = suite('routes of a project')

function write(folder: TemporaryDirectory, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(folder.join('shop', path)), { recursive: true })
    writeFileSync(folder.join('shop', path), text)
  }
  return folder.join('shop')
}

/** Answers with what it was asked, in the shape of the route's payload format. */
const PETS = `export const handler = async (event) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    id: event.pathParameters?.id,
    version: event.version,
    method: event.requestContext.http?.method ?? event.httpMethod,
    authorizer: event.requestContext.authorizer,
  }),
})`
const GUARD = `export const handler = async ({ headers }) =>
  ({ isAuthorized: headers['x-key'] === 'right', context: { tier: 'gold' } })`

const configOf = (issuer: string): string => `import { defineConfig } from 'lambent'
export default defineConfig({
  functions: { pets: { entry: './pets.ts' }, guard: { entry: './guard.ts' } },
  routes: {
    'GET /pets/{id}': 'pets',
    'ANY /v1/{id}': { function: 'pets', payload: '1.0' },
    'GET /alb': { function: 'pets', payload: 'alb' },
    'GET /guarded': { function: 'pets', authorizer: 'guard' },
    'GET /jwt': { function: 'pets', authorizer: { type: 'jwt', issuer: '${issuer}', audience: 'web' } },
  },
})`

interface Answer {
  readonly status: number
  readonly body: { id?: string; version?: string; method?: string; authorizer?: unknown; message?: string }
}

async function ask(base: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(base + path, init)
  return { status: response.status, body: (await response.json()) as Answer['body'] } // the handler's own
}

routes('lead to their functions, with payloads, authorizers and CORS, and go with the deploy', async () => {
  using folder = temporaryDirectory()
  await using keys = await startKeyServer()
  const path = write(folder, {
    'lambent.config.ts': configOf(keys.issuer),
    'pets.ts': PETS,
    'guard.ts': GUARD,
    'functions/count/index.ts': `export const config = { routes: ['POST /count'] }
      export const handler = async ({ body }: { body: string }) => body.split(' ').length`,
  })
  await using lambent = await startLambent()
  const deploy = (...more: string[]) => runCli(['deploy', path, '--endpoint', lambent.url, ...more])
  const { httpUrl } = lambent

  const deployed = await deploy('--json')
  const listed = await runCli(['ls', 'functions', '--endpoint', lambent.url])
  const pet = await ask(httpUrl, '/pets/7')
  const old = await ask(httpUrl, '/v1/8', { method: 'PUT', body: 'x' })
  const count = await fetch(`${httpUrl}/count`, { method: 'POST', body: 'to be or not' })
  const alb = await ask(httpUrl, '/alb')
  const refused = await ask(httpUrl, '/guarded')
  const passed = await ask(httpUrl, '/guarded', { headers: { 'x-key': 'right' } })
  const token = `Bearer ${await keys.token(Date.now())}`
  const signedIn = await ask(httpUrl, '/jwt', { headers: { authorization: token } })
  const stranger = await ask(httpUrl, '/jwt')
  const nothing = await ask(httpUrl, '/pets')

  assert.is(deployed.code, 0, deployed.stderr)
  const shown = JSON.parse(deployed.stdout) as { name: string; routes: string[] }[]
  assert.equal(shown.find(({ name }) => name === 'count')?.routes, ['POST /count'])
  assert.is(shown.find(({ name }) => name === 'pets')?.routes.length, 5)
  assert.match(listed.stdout, 'POST /count')
  assert.equal([pet.body.id, pet.body.version, pet.body.method], ['7', '2.0', 'GET'])
  assert.equal([old.body.id, old.body.version, old.body.method], ['8', '1.0', 'PUT'])
  assert.equal([count.status, await count.text()], [200, '4'])
  assert.equal([alb.status, alb.body.method], [200, 'GET'])
  assert.equal([refused.status, refused.body], [403, { message: 'Forbidden' }])
  assert.equal(passed.body.authorizer, { lambda: { tier: 'gold' } })
  const { jwt } = signedIn.body.authorizer as { jwt: { claims: { aud: string } } }
  assert.is(jwt.claims.aud, 'web')
  assert.equal([stranger.status, stranger.body], [401, { message: 'Unauthorized' }])
  assert.equal([nothing.status, nothing.body], [404, { message: 'Not Found' }])

  // A deploy without a route takes it away, also the last one of a function.
  write(folder, {
    'lambent.config.ts': `export default { functions: { pets: { entry: './pets.ts' } }, routes: { 'GET /pets/{id}': 'pets' } }`,
    'functions/count/index.ts': `export const handler = async () => 1`,
  })
  const second = await deploy()
  assert.is(second.code, 0, second.stderr)
  assert.is((await ask(httpUrl, '/v1/8')).status, 404)
  assert.is((await ask(httpUrl, '/count', { method: 'POST' })).status, 404)
  assert.is((await ask(httpUrl, '/pets/9')).body.id, '9')

  // A function that is nowhere is told with the file that names it.
  write(folder, { 'lambent.config.ts': `export default { routes: { 'GET /x': 'nobody' } }` })
  const wrong = await deploy()
  assert.is(wrong.code, 1)
  assert.match(wrong.stderr, /lambent\.config\.ts: routes: The route "GET \/x" names the function "nobody"/)
})

routes('outlive a restart, and a host can name one account and region', async () => {
  using folder = temporaryDirectory()
  const path = write(folder, {
    'lambent.config.ts': `export default { routes: { 'GET /pets/{id}': 'pets' }, functions: { pets: { entry: './pets.ts' } } }`,
    'pets.ts': PETS,
  })
  let apiHost = ''
  {
    await using lambent = await startLambent({ data: folder.join('data'), argv: ['--deploy', path] })
    const held = (await (await fetch(`${lambent.url}/lambent/v1/routes`)).json()) as { urlByHost: string }
    apiHost = new URL(held.urlByHost).hostname
    assert.is((await ask(lambent.httpUrl, '/pets/1')).status, 200)
    await lambent.kill()
  }
  rmSync(path, { recursive: true })

  await using lambent = await startLambent({ data: folder.join('data') })
  const named = async (host: string): Promise<number> =>
    await new Promise((resolve, reject) => {
      const asked = request(`${lambent.httpUrl}/pets/2`, { headers: { host } }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asked.on('error', reject).end()
    })

  assert.is((await ask(lambent.httpUrl, '/pets/2')).body.id, '2')
  assert.is(await named(apiHost), 200)
  assert.is(await named(apiHost.replace('us-east-1', 'eu-west-1')), 404)
  assert.is(await named('shop.localhost'), 200)
})

routes.run()
