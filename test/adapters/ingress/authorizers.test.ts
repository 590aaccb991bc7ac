import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decide } from '../../../adapters/ingress/authorizers/policy-decision.ts'
import { createFakeClock } from '../../support/clock.ts'
import { requestText, sendRaw, type RawAnswer } from '../raw-client.ts'
import { answering, startIngress, success, type IngressHarness, type Script } from './harness.ts'
import { startKeyServer } from './key-server.ts'

const authorizers = suite('route authorizers')

type Event = Record<string, unknown>

const get = (ingress: IngressHarness, path: string, headers: readonly string[] = []): Promise<RawAnswer> =>
  sendRaw(ingress.port, requestText('GET', path, [`Host: localhost:${ingress.port}`, ...headers]))

const contextOf = (event: Event | undefined): Event => (event?.requestContext ?? {}) as Event

/** Events that a function was invoked with, in order. */
const eventsOf = (ingress: IngressHarness, functionName: string): Event[] =>
  ingress.invoked
    .filter((one) => one.functionName === functionName)
    .map(({ payload }) => JSON.parse(payload.toString('utf8')) as Event) // events are objects

/** `guard` answers what `verdict` says; everything else that it was called. */
const guarded =
  (verdict: (event: Event) => unknown): Script =>
  (request, sink) => {
    if (request.functionName !== 'guard') return sink.result(success('{"statusCode":200,"body":"in"}'))
    const answer = verdict(JSON.parse(request.payload.toString('utf8')) as Event) // as above
    if (answer instanceof Error) {
      const failure = success(JSON.stringify({ errorType: 'Error', errorMessage: answer.message }))
      return sink.result({ ...failure, kind: 'function-error' })
    }
    sink.result(success(JSON.stringify(answer)))
  }

const policy = (Effect: string, Resource: unknown, context?: object) => ({
  principalId: 'user-1',
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }] },
  ...(context === undefined ? {} : { context }),
})

authorizers('JWT: a good token passes, with its claims as texts', async () => {
  await using keys = await startKeyServer()
  const clock = createFakeClock()
  const authorizer = { type: 'jwt', issuer: keys.issuer, audience: ['web', 'app'] }
  await using ingress = await startIngress(
    answering('in'),
    {},
    {
      clock,
      routes: [
        { route: 'GET /2.0', authorizer },
        { route: 'GET /1.0', payload: '1.0', authorizer: { ...authorizer, scopes: ['read', 'write'] } },
        { route: 'GET /query', authorizer: { ...authorizer, identitySource: '$request.querystring.token' } },
      ],
    },
  )
  const token = await keys.token(clock.nowMs(), { scope: 'read list', groups: ['a', 'b'], admin: true })
  const client = await keys.token(clock.nowMs(), { aud: undefined as never, client_id: 'app' })

  const passed = await get(ingress, '/2.0', [`Authorization: Bearer ${token}`])
  const scoped = await get(ingress, '/1.0', [`Authorization: ${token}`])
  const byQuery = await get(ingress, `/query?token=${client}`)

  assert.is(passed.status, 200)
  assert.is(byQuery.status, 200)
  assert.is(scoped.status, 500) // no statusCode: the function was reached
  const [two, one] = eventsOf(ingress, 'hello')
  const expected = {
    iss: keys.issuer,
    aud: 'web',
    iat: '1767323045',
    exp: '1767326645',
    scope: 'read list',
    groups: '[a b]',
    admin: 'true',
  }
  assert.equal(contextOf(two).authorizer, { jwt: { claims: expected, scopes: null } })
  assert.equal(contextOf(one).authorizer, { claims: expected, scopes: ['read', 'list'] })
  assert.is(keys.asked.get('/keys'), 1)
})

authorizers('JWT: everything else is turned away without a call', async () => {
  await using keys = await startKeyServer()
  await using stranger = await startKeyServer()
  const clock = createFakeClock()
  const nowMs = clock.nowMs()
  const authorizer = { type: 'jwt', issuer: keys.issuer, audience: ['web'], scopes: ['write'] }
  await using ingress = await startIngress(
    answering('in'),
    {},
    {
      clock,
      routes: [
        { route: 'GET /', authorizer },
        { route: 'GET /rest', payload: 'rest', authorizer },
      ],
    },
  )
  const hour = 3_600_000
  const bad: readonly (readonly [string, RegExp])[] = [
    [await keys.token(nowMs - 2 * hour), /the token has expired/],
    [await keys.token(nowMs, { exp: undefined as never }), /no valid claim exp/],
    [await keys.token(nowMs, { iss: 'https://other.test' }), /no valid claim iss/],
    [await keys.token(nowMs, { nbf: nowMs / 1000 + 60 }), /no valid claim nbf/],
    [await keys.token(nowMs + 2 * hour), /issued in the future/],
    [await keys.token(nowMs, { aud: 'other' }), /valid audience/],
    [await stranger.token(nowMs, { iss: keys.issuer }), /signature is not valid/],
    ['nonsense', /the token is not valid/],
    [`${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`, /the token is not valid/],
  ]

  for (const [token, text] of bad) {
    const answer = await get(ingress, '/', [`Authorization: Bearer ${token}`])
    assert.equal([answer.status, answer.body], [401, '{"message":"Unauthorized"}'], String(text))
    assert.match(answer.headers['www-authenticate'] ?? '', text)
  }
  const none = await get(ingress, '/')
  const unscoped = await get(ingress, '/', [`Authorization: ${await keys.token(nowMs, { scope: 'read' })}`])
  const rest = await get(ingress, '/rest')

  assert.equal([none.status, none.headers['www-authenticate']], [401, 'Bearer scope="write"'])
  assert.equal([unscoped.status, unscoped.body], [403, '{"message":"Forbidden"}'])
  assert.match(unscoped.headers['www-authenticate'] ?? '', 'error="insufficient_scope"')
  assert.equal([rest.status, rest.headers['x-amzn-errortype']], [401, 'UnauthorizedException'])
  assert.is(ingress.invoked.length, 0)
})

authorizers(
  'JWT: keys are kept for two hours; a new one is looked for, but not for every token',
  async () => {
    await using keys = await startKeyServer()
    const clock = createFakeClock()
    const authorizer = { type: 'jwt', issuer: keys.issuer, audience: ['web'] }
    await using ingress = await startIngress(
      answering('in'),
      {},
      { clock, routes: [{ route: 'GET /', authorizer }] },
    )
    const ask = async (): Promise<number> =>
      (await get(ingress, '/', [`Authorization: ${await keys.token(clock.nowMs())}`])).status

    assert.is(await ask(), 200)
    await keys.rotate()
    const tooSoon = [await ask(), await ask()]
    await clock.advance(30_000)
    const later = await ask()
    const askedBefore = keys.asked.get('/keys')
    keys.fail(true)
    await clock.advance(2 * 3_600_000)
    const away = await get(ingress, '/', [`Authorization: ${await keys.token(clock.nowMs())}`])
    keys.fail(false)
    const back = await ask()

    assert.equal(tooSoon, [401, 401])
    assert.is(later, 200)
    assert.is(askedBefore, 2)
    assert.is(away.status, 401)
    assert.match(away.headers['www-authenticate'] ?? '', 'communication error')
    assert.is(back, 200)
  },
)

authorizers('REQUEST 2.0: the function sees the request and decides with one word', async () => {
  const script = guarded((event) => ({
    isAuthorized: (event.headers as Event)['x-key'] === 'right',
    context: { tier: 'gold', limits: { rate: 5 } },
  }))
  const authorizer = { type: 'request', function: 'guard', identitySource: ['$request.header.X-Key'] }
  await using ingress = await startIngress(script, {}, { routes: [{ route: 'GET /pets/{id}', authorizer }] })

  const passed = await get(ingress, '/pets/7?a=1', ['X-Key: right', 'Cookie: c=1'])
  const denied = await get(ingress, '/pets/7', ['X-Key: wrong'])
  const missing = await get(ingress, '/pets/7')

  assert.equal([passed.status, passed.body], [200, 'in'])
  assert.equal([denied.status, denied.body], [403, '{"message":"Forbidden"}'])
  assert.equal([missing.status, missing.body], [401, '{"message":"Unauthorized"}'])
  const [asked, ...more] = eventsOf(ingress, 'guard')
  assert.is(more.length, 1)
  const { requestContext, routeArn, headers, ...rest } = asked ?? {}
  assert.match(
    String(routeArn),
    /^arn:aws:execute-api:us-east-1:000000000000:[a-z0-9]{10}\/\$default\/GET\/pets\/7$/,
  )
  assert.is((headers as Event)['x-key'], 'right')
  assert.is(((requestContext as Event).http as Event).path, '/pets/7')
  assert.equal(rest, {
    version: '2.0',
    type: 'REQUEST',
    routeKey: 'GET /pets/{id}',
    rawPath: '/pets/7',
    rawQueryString: 'a=1',
    cookies: ['c=1'],
    queryStringParameters: { a: '1' },
    pathParameters: { id: '7' },
    identitySource: ['right'],
  })
  const [seen] = eventsOf(ingress, 'hello')
  assert.equal(contextOf(seen).authorizer, { lambda: { tier: 'gold', limits: { rate: 5 } } })
})

authorizers('REQUEST 1.0: a policy decides, and the context is flat', async () => {
  const script = guarded((event) =>
    policy('Allow', String(event.methodArn).replace(/GET.*/, '*'), { tier: 'gold', n: 5 }),
  )
  const authorizer = { type: 'request', function: 'guard', identitySource: ['$request.header.X-Key'] }
  await using ingress = await startIngress(
    script,
    {},
    {
      routes: [
        { route: 'GET /one', payload: '1.0', authorizer },
        { route: 'GET /rest', payload: 'rest', authorizer },
      ],
    },
  )

  await get(ingress, '/one', ['X-Key: k'])
  await get(ingress, '/rest', ['X-Key: k'])

  const [one, rest] = eventsOf(ingress, 'guard')
  assert.equal(
    [one?.version, one?.type, one?.identitySource, one?.authorizationToken],
    ['1.0', 'REQUEST', 'k', 'k'],
  )
  assert.equal(
    [rest?.version, rest?.type, rest?.path, rest?.resource],
    [undefined, 'REQUEST', '/rest', '/rest'],
  )
  assert.is('body' in (one ?? {}), false)
  const [seenOne, seenRest] = eventsOf(ingress, 'hello').map(
    (event) => (event.requestContext as Event).authorizer,
  )
  const { integrationLatency, ...first } = seenOne as Event
  assert.type(integrationLatency, 'number')
  assert.equal(first, { principalId: 'user-1', tier: 'gold', n: 5 })
  assert.is((seenRest as Event).n, '5')
})

authorizers('TOKEN: only the token is handed over, and its shape is checked first', async () => {
  const script = guarded(({ authorizationToken, methodArn }) => {
    if (authorizationToken === 'bad-1') return new Error('Unauthorized')
    if (authorizationToken === 'bad-2') return new Error('anything else')
    if (authorizationToken === 'bad-3') return 'nonsense'
    return policy(
      authorizationToken === 'bad-4' ? 'Deny' : 'Allow',
      authorizationToken === 'bad-5' ? 'x' : methodArn,
    )
  })
  const authorizer = { type: 'token', function: 'guard', validation: '[a-z]+-[0-9]' }
  await using ingress = await startIngress(
    script,
    {},
    {
      routes: [
        { route: 'GET /rest', payload: 'rest', authorizer },
        { route: 'GET /http', authorizer },
      ],
    },
  )
  const ask = async (path: string, token: string): Promise<[number, string]> => {
    const { status, body } = await get(ingress, path, [`Authorization: ${token}`])
    return [status, body]
  }

  assert.equal(await ask('/rest', 'good-1'), [200, 'in'])
  assert.equal(eventsOf(ingress, 'guard').map((event) => Object.keys(event))[0], [
    ...['type', 'methodArn', 'authorizationToken'],
  ])
  assert.equal(await ask('/rest', 'no match'), [401, '{"message":"Unauthorized"}'])
  assert.is(eventsOf(ingress, 'guard').length, 1)
  const denied = 'User is not authorized to access this resource'
  assert.equal(await ask('/rest', 'bad-1'), [401, '{"message":"Unauthorized"}'])
  assert.equal(await ask('/rest', 'bad-2'), [500, '{"message":null}'])
  assert.equal(await ask('/rest', 'bad-3'), [500, '{"message":null}'])
  assert.equal(await ask('/rest', 'bad-4'), [
    403,
    `{"Message":"${denied} with an explicit deny in an identity-based policy"}`,
  ])
  assert.equal(await ask('/rest', 'bad-5'), [403, `{"Message":"${denied}"}`])
  assert.equal(await ask('/http', 'bad-2'), [500, '{"message":"Internal Server Error"}'])
  assert.equal(await ask('/http', 'bad-4'), [403, '{"message":"Forbidden"}'])
})

authorizers('answers are kept for as long as asked, for the same identity only', async () => {
  const clock = createFakeClock()
  const script = guarded(({ methodArn }) => policy('Allow', String(methodArn)))
  const authorizer = {
    ...{ type: 'request', function: 'guard', payload: '1.0', ttlMs: 60_000 },
    identitySource: ['$request.header.X-Key'],
  }
  await using ingress = await startIngress(
    script,
    {},
    { clock, routes: [{ route: 'GET /{id}', authorizer }] },
  )
  const ask = async (path: string, key: string): Promise<number> =>
    (await get(ingress, path, [`X-Key: ${key}`])).status
  const calls = (): number => eventsOf(ingress, 'guard').length

  assert.equal([await ask('/1', 'a'), await ask('/1', 'a'), calls()], [200, 200, 1])
  assert.equal([await ask('/1', 'b'), calls()], [200, 2])
  // The kept policy speaks of /1 alone.
  assert.equal([await ask('/2', 'a'), calls()], [403, 2])
  await clock.advance(60_000)
  assert.equal([await ask('/2', 'a'), calls()], [200, 3])
})

authorizers('IAM: whoever checks signatures decides; without keys nobody passes', async () => {
  const identity = {
    ...{ accessKey: 'AKIA', accountId: '1', callerId: 'c', cognitoIdentity: null },
    ...{ principalOrgId: null, userArn: 'arn:u', userId: 'u' },
  }
  const routes = [
    { route: 'GET /two', authorizer: { type: 'iam' } },
    { route: 'GET /rest', payload: 'rest', authorizer: { type: 'iam' } },
  ]
  await using open = await startIngress(
    answering({ statusCode: 200 }),
    { auth: 'iam' },
    {
      routes,
      iam: ({ service }) => ({ kind: 'allowed', identity: { ...identity, userId: service } }),
    },
  )
  await using closed = await startIngress(answering({ statusCode: 200 }), { auth: 'iam' }, { routes })
  const url = '/lambda-url/abcdefghijklmnopqrstuvwxyz012345/'

  for (const path of ['/two', '/rest', url]) {
    assert.is((await get(open, path)).status, 200, path)
    assert.is((await get(closed, path)).status, 403, path)
  }
  const [two, rest, byUrl] = eventsOf(open, 'hello').map((event) => event.requestContext as Event)
  assert.equal(two?.authorizer, { iam: { ...identity, userId: 'execute-api' } })
  assert.is((rest?.['identity'] as { userArn?: string } | undefined)?.userArn, 'arn:u')
  assert.equal(byUrl?.authorizer, { iam: { ...identity, userId: 'lambda' } })
  assert.is(byUrl?.accountId, '1')
  assert.is((await get(closed, '/two')).body, '{"message":"Forbidden"}')
  assert.is(closed.invoked.length, 0)
})

authorizers.run()

const policies = suite('authorizer policies')
const ARN = 'arn:aws:execute-api:us-east-1:1:api/$default/GET/pets/7'

policies('allow what matches, deny first, and say when they say nothing', () => {
  const of = (...Statement: object[]) => decide({ Statement }, ARN)
  const allow = (Resource: unknown, Action: unknown = 'execute-api:Invoke') => ({
    Effect: 'Allow',
    Action,
    Resource,
  })

  assert.is(of(allow('*')), 'allowed')
  assert.is(of(allow(ARN)), 'allowed')
  assert.is(of(allow(['x', 'arn:aws:execute-api:*:*:api/*/GET/pets/?'])), 'allowed')
  assert.is(of(allow('*', ['execute-api:*'])), 'allowed')
  assert.is(of(allow('*', 'EXECUTE-API:invoke')), 'allowed')
  assert.is(of(allow('*', 's3:*')), 'not-mentioned')
  assert.is(of(allow('arn:aws:execute-api:*:*:api/*/POST/*')), 'not-mentioned')
  assert.is(of(allow('*'), { ...allow('*/pets/*'), Effect: 'Deny' }), 'denied')
  assert.is(of({ Effect: 'Allow', NotAction: 's3:*', NotResource: '*/dogs/*' }), 'allowed')
  assert.is(of(), 'not-mentioned')
  assert.is(of({ ...allow('*'), Effect: 'Maybe' }), 'malformed')
  assert.is(decide('x', ARN), 'malformed')
  // Stars do not make it slow.
  assert.is(of(allow(`${'*a'.repeat(500)}b`)), 'not-mentioned')
})

policies.run()
