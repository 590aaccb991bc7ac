import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadProject, ProjectError } from '../../deploy/config-file.ts'
import { rejects } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'

const routing = suite('routes in configurations')

/** Writes `files` by relative path and answers the folder. */
function project(folder: TemporaryDirectory, files: Record<string, string>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join('shop', path)), { recursive: true })
    writeFileSync(folder.join('shop', path), content)
  }
  return folder.join('shop')
}

const FUNCTION = 'export const handler = async () => 1'

routing('a project’s and its functions’ routes are said in the Lambent API’s words', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'lambent.config.ts': `export default {
      functions: { pets: { entry: './pets.ts', name: 'all-pets' }, guard: { entry: './guard.ts' } },
      routes: {
        'GET /pets/{id}': 'pets',
        $default: 'all-pets:live',
        'ANY /old': {
          function: 'pets', payload: '1.0', timeout: '5s', cors: { allowOrigins: ['*'], maxAge: '1m' },
          authorizer: { type: 'request', function: 'pets', identitySource: '$request.header.X', ttl: '5m' },
        },
        'GET /short': { function: 'pets', authorizer: 'guard', cors: true },
        'GET /jwt': {
          function: 'pets',
          authorizer: { type: 'jwt', issuer: 'https://idp.example.com', audience: 'web', scopes: ['read'] },
        },
        'GET /iam': { function: 'pets', authorizer: 'iam' },
      },
    }`,
    'pets.ts': FUNCTION,
    'guard.ts': FUNCTION,
    'functions/count/index.ts': `export const config = { routes: ['POST /count', 'GET /count'] }\n${FUNCTION}`,
  })

  const { routeSources, warnings } = await loadProject([path])

  assert.equal(warnings, [])
  const [shop, ...others] = routeSources
  assert.is(shop?.source, `project:${path}`)
  assert.equal(shop?.routes, [
    { route: 'GET /pets/{id}', function: 'all-pets' },
    { route: '$default', function: 'all-pets:live' },
    {
      route: 'ANY /old',
      function: 'all-pets',
      payload: '1.0',
      timeoutMs: 5000,
      cors: { allowOrigins: ['*'], maxAgeSeconds: 60 },
      authorizer: {
        ...{ type: 'request', function: 'all-pets', ttlMs: 300_000 },
        identitySource: ['$request.header.X'],
      },
    },
    {
      ...{ route: 'GET /short', function: 'all-pets' },
      cors: { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'] },
      authorizer: { type: 'request', function: 'guard' },
    },
    {
      ...{ route: 'GET /jwt', function: 'all-pets' },
      authorizer: { type: 'jwt', issuer: 'https://idp.example.com', audience: ['web'], scopes: ['read'] },
    },
    { route: 'GET /iam', function: 'all-pets', authorizer: { type: 'iam' } },
  ])
  assert.equal(
    others.map(({ source, routes }) => [source, routes]),
    [
      ['function:all-pets', []],
      ['function:guard', []],
      [
        'function:count',
        [
          { route: 'POST /count', function: 'count' },
          { route: 'GET /count', function: 'count' },
        ],
      ],
    ],
  )
})

routing(
  'a project is known by its package’s name, else by its folder, and one without routes still says so',
  async () => {
    using folder = temporaryDirectory()
    const path = project(folder, {
      'package.json': '{ "name": "@acme/shop" }',
      'functions/count/index.ts': FUNCTION,
    })

    const { routeSources } = await loadProject([path])

    assert.equal(
      routeSources.map(({ source, routes }) => [source, routes.length]),
      [
        ['project:@acme/shop', 0],
        ['function:count', 0],
      ],
    )
  },
)

routing('mistakes are told together, with file and key', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'lambent.config.ts': `export default { routes: {
      'GET /a': { function: 'f', payload: '3.0' },
      'GET /b': { function: 'f', authoriser: 'g' },
      'GET /c': { function: 'not a name' },
      'GET /d': { function: 'f', authorizer: { type: 'jwt', issuer: 'nowhere', audience: 'a' } },
      'GET /e': { function: 'f', payload: 'alb', authorizer: 'g' },
      'GET /f': { function: 'f', authorizer: { type: 'token', function: 'g', ttl: '2h' } },
    } }`,
  })
  const keys = project(folder, {
    'keys/lambent.config.ts': `export default { routes: { 'GET pets': 'f', 'fetch /': 'f' } }`,
    'keys/functions/one/index.ts': `export const config = { routes: ['POST'] }\n${FUNCTION}`,
  })
  const problemsOf = async (at: string): Promise<string> => {
    const error = await rejects(loadProject([at]))
    assert.instance(error, ProjectError)
    return error.message
  }

  const values = await problemsOf(path)
  for (const text of [
    /lambent\.config\.ts: routes\.GET \/a\.payload: /,
    /lambent\.config\.ts: there is no setting "routes\.GET \/b\.authoriser"\. Did you mean "authorizer"\?/,
    /lambent\.config\.ts: routes\.GET \/c\.function: name a function/,
    /lambent\.config\.ts: routes\.GET \/d\.authorizer\.issuer: give the issuer as a URL/,
    /lambent\.config\.ts: routes\.GET \/e\.authorizer: a load balancer/,
    /lambent\.config\.ts: routes\.GET \/f\.authorizer\.ttl: give at most '1h'/,
  ])
    assert.match(values, text)
  const wrongKeys = await problemsOf(`${keys}/keys`)
  assert.match(wrongKeys, /keys\/lambent\.config\.ts: routes\.GET pets: the path begins with \//)
  assert.match(wrongKeys, /keys\/lambent\.config\.ts: routes\.fetch \/: "fetch" is no method/)
  assert.match(wrongKeys, /one\/index\.ts: config: routes\.0: "POST": write "METHOD/)
})

routing('a route that is declared twice is refused, with both places', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'lambent.config.ts': `export default { routes: { 'GET /{id}': 'one' } }`,
    'functions/one/index.ts': `export const config = { routes: ['GET /{name}'] }\n${FUNCTION}`,
  })

  const { message } = await rejects(loadProject([path]))

  assert.match(
    message,
    /one\/index\.ts: routes: "GET \/\{name\}" matches the same requests as "GET \/\{id\}" in .*config\.ts/,
  )
})

routing.run()
