import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambentApi, type LambentApiHarness } from './harness.ts'

const api = suite('lambent api: routes')

const put = async (lambent: LambentApiHarness, body: object, query = ''): Promise<[number, Answer]> => {
  const response = await lambent.request(`/routes${query}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return [response.status, (await response.json()) as Answer] // the tests below check what it is
}

interface Answer {
  readonly apiId: string
  readonly url: string
  readonly urlByHost: string
  readonly routes: readonly { route: string; source: string }[]
  readonly error: { code: string; message: string }
}

api('what was put is got, with defaults, by account and region', async () => {
  await using lambent = await startLambentApi()
  const authorizer = { type: 'jwt', issuer: 'https://idp.example.com', audience: ['web'] }
  const given = [
    { route: 'GET /pets/{id}', function: 'orders:live', authorizer },
    { route: '$default', function: 'orders', payload: 'alb', multiValue: true },
  ]

  const [status, answer] = await put(lambent, { source: 'project:shop', routes: given })
  const got = (await lambent.json('/routes')) as Answer
  const elsewhere = (await lambent.json('/routes?region=eu-west-1')) as Answer

  assert.is(status, 200)
  assert.equal(answer.routes, [
    { ...given[0], payload: '2.0', source: 'project:shop' },
    { ...given[1], source: 'project:shop' },
  ])
  assert.equal(got, answer)
  assert.match(got.apiId, /^[a-z0-9]{10}$/)
  assert.is(got.url, 'http://127.0.0.1:4701')
  assert.is(got.urlByHost, `http://${got.apiId}.execute-api.us-east-1.localhost:4701`)
  assert.equal(elsewhere.routes, [])
  assert.is.not(elsewhere.apiId, got.apiId)
})

api('what cannot be a route is refused with its place, and nothing changes', async () => {
  await using lambent = await startLambentApi()
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ route: 'GET pets', function: 'orders' }, /routes\.0\.route: "GET pets": the path begins with/],
    [{ route: 'GET /', function: 'nobody' }, /"GET \/" names the function "nobody"/],
    [{ route: 'GET /', function: 'a b' }, /routes\.0\.function: give a function/],
    [{ route: 'GET /', function: 'orders', payload: '3.0' }, /routes\.0\.payload/],
    [{ route: 'GET /', function: 'orders', colour: 'red' }, /colour/],
    [
      { route: 'GET /', function: 'orders', authorizer: { type: 'jwt', audience: ['a'] } },
      /authorizer\.issuer/,
    ],
    [{ route: 'GET /', function: 'orders', authorizer: { type: 'token', function: 'nobody' } }, /"nobody"/],
    [
      {
        route: 'GET /',
        function: 'orders',
        authorizer: { type: 'request', function: 'orders', identitySource: ['x'] },
      },
      /identitySource\.0: name it as/,
    ],
    [
      { route: 'GET /', function: 'orders', payload: 'alb', authorizer: { type: 'iam' } },
      /has no authorizer/,
    ],
  ]

  for (const [route, text] of wrong) {
    const [status, { error }] = await put(lambent, { source: 's', routes: [route] })
    assert.is(status, 400, JSON.stringify(route))
    assert.match(error.message, text)
  }
  const same = ['GET /{a}', 'GET /{b}'].map((route) => ({ route, function: 'orders' }))
  assert.is((await put(lambent, { source: 's', routes: same }))[0], 400)
  assert.equal(((await lambent.json('/routes')) as Answer).routes, [])
})

api.run()
