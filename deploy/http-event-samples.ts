const USER_AGENT = 'curl/8.5.0'
const TRACE_ID = 'Root=1-65939a25-0123456789abcdef01234567'
const TIME = '02/Jan/2026:03:04:05 +0000'
const TIME_MS = 1_767_323_045_678
const ACCOUNT = '000000000000'
const JSON_BODY = '{"text":"to be or not to be"}'

/** The payload format 2.0 of function URLs. */
const url = (method: string, path: string, rest: { query?: string; body?: string }) => {
  const host = 'abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws'
  const { query = '', body } = rest
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    cookies: ['theme=dark'],
    headers: {
      accept: '*/*',
      ...(body === undefined
        ? {}
        : { 'content-length': String(body.length), 'content-type': 'application/json' }),
      cookie: 'theme=dark',
      host,
      'user-agent': USER_AGENT,
      'x-amzn-tls-cipher-suite': 'TLS_AES_128_GCM_SHA256',
      'x-amzn-tls-version': 'TLSv1.3',
      'x-amzn-trace-id': TRACE_ID,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
    },
    ...(query === '' ? {} : { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
    requestContext: {
      accountId: 'anonymous',
      apiId: host.split('.')[0],
      authentication: null,
      domainName: host,
      domainPrefix: host.split('.')[0],
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: USER_AGENT },
      requestId: '0f7c1e9a-5b1d-4c55-8f0e-7a1b2c3d4e5f',
      routeKey: '$default',
      stage: '$default',
      time: TIME,
      timeEpoch: TIME_MS,
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  }
}

const REST_IDENTITY = {
  accessKey: null,
  accountId: null,
  caller: null,
  cognitoAuthenticationProvider: null,
  cognitoAuthenticationType: null,
  cognitoIdentityId: null,
  cognitoIdentityPoolId: null,
  principalOrgId: null,
  sourceIp: '127.0.0.1',
  user: null,
  userAgent: USER_AGENT,
  userArn: null,
}

const API_HOST = 'a1b2c3d4e5.execute-api.us-east-1.amazonaws.com'

/** An event of a REST API; payload format 1.0 of HTTP APIs is nearly the same. */
const REST_EVENT = {
  resource: '/pets/{id}',
  path: '/pets/7',
  httpMethod: 'POST',
  headers: {
    Accept: '*/*',
    'Content-Length': String(JSON_BODY.length),
    'Content-Type': 'application/json',
    Host: API_HOST,
    'User-Agent': USER_AGENT,
    'X-Amzn-Trace-Id': TRACE_ID,
    'X-Forwarded-For': '127.0.0.1',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Proto': 'https',
  },
  multiValueHeaders: {
    Accept: ['*/*'],
    'Content-Length': [String(JSON_BODY.length)],
    'Content-Type': ['application/json'],
    Host: [API_HOST],
    'User-Agent': [USER_AGENT],
    'X-Amzn-Trace-Id': [TRACE_ID],
    'X-Forwarded-For': ['127.0.0.1'],
    'X-Forwarded-Port': ['443'],
    'X-Forwarded-Proto': ['https'],
  },
  queryStringParameters: { colour: 'blue' },
  multiValueQueryStringParameters: { colour: ['red', 'blue'] },
  pathParameters: { id: '7' },
  stageVariables: null,
  requestContext: {
    accountId: ACCOUNT,
    apiId: 'a1b2c3d4e5',
    domainName: API_HOST,
    domainPrefix: 'a1b2c3d4e5',
    extendedRequestId: 'JKJaXmPLvHcESHA=',
    httpMethod: 'POST',
    identity: REST_IDENTITY,
    path: '/test/pets/7',
    protocol: 'HTTP/1.1',
    requestId: '0f7c1e9a-5b1d-4c55-8f0e-7a1b2c3d4e5f',
    requestTime: TIME,
    requestTimeEpoch: TIME_MS,
    resourceId: 'x1y2z3',
    resourcePath: '/pets/{id}',
    stage: 'test',
  },
  body: JSON_BODY,
  isBase64Encoded: false,
}

const ALB_EVENT = {
  requestContext: {
    elb: {
      targetGroupArn: `arn:aws:elasticloadbalancing:us-east-1:${ACCOUNT}:targetgroup/pets/0123456789abcdef`,
    },
  },
  httpMethod: 'POST',
  path: '/pets/7',
  queryStringParameters: { colour: 'sky%20blue' },
  headers: {
    accept: '*/*',
    'content-length': String(JSON_BODY.length),
    'content-type': 'application/json',
    host: 'pets-0123456789.us-east-1.elb.amazonaws.com',
    'user-agent': USER_AGENT,
    'x-amzn-trace-id': TRACE_ID,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-port': '80',
    'x-forwarded-proto': 'http',
  },
  body: JSON_BODY,
  isBase64Encoded: false,
}

/**
 * Sample events of whatever turns an HTTP request into an invocation: what the ingress makes of such ones,
 * as a test makes sure.
 */
export const HTTP_EVENT_SAMPLES: Readonly<Record<string, object>> = {
  'url:get': url('GET', '/greetings', { query: 'name=Ada&greeting=hello' }),
  'url:post': url('POST', '/count', { body: JSON_BODY }),
  'apigateway:http': {
    version: '2.0',
    routeKey: 'POST /pets/{id}',
    rawPath: '/pets/7',
    rawQueryString: 'colour=red&colour=blue',
    cookies: ['theme=dark', 'lang=en'],
    headers: {
      accept: '*/*',
      'content-length': String(JSON_BODY.length),
      'content-type': 'application/json',
      cookie: 'theme=dark; lang=en',
      host: API_HOST,
      'user-agent': USER_AGENT,
      'x-amzn-trace-id': TRACE_ID,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
    },
    queryStringParameters: { colour: 'red,blue' },
    requestContext: {
      accountId: ACCOUNT,
      apiId: 'a1b2c3d4e5',
      authorizer: {
        jwt: { claims: { sub: 'user-1', iss: 'https://idp.example.com' }, scopes: ['pets:write'] },
      },
      domainName: API_HOST,
      domainPrefix: 'a1b2c3d4e5',
      http: {
        method: 'POST',
        path: '/pets/7',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: USER_AGENT,
      },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: 'POST /pets/{id}',
      stage: '$default',
      time: TIME,
      timeEpoch: TIME_MS,
    },
    body: JSON_BODY,
    pathParameters: { id: '7' },
    isBase64Encoded: false,
    stageVariables: { tier: 'test' },
  },
  'apigateway:http-v1': {
    version: '1.0',
    ...REST_EVENT,
    requestContext: {
      ...REST_EVENT.requestContext,
      authorizer: { claims: null, scopes: null },
      identity: { ...REST_IDENTITY, cognitoAmr: null },
      path: '/pets/7',
      resourceId: 'POST /pets/{id}',
      stage: '$default',
    },
  },
  'apigateway:rest': REST_EVENT,
  'alb:request': ALB_EVENT,
  'alb:multi-value': albMultiValue(),
}

/** The same request to a target group with multi-value headers: lists, and nothing else. */
function albMultiValue(): object {
  const { headers, queryStringParameters: _single, ...rest } = ALB_EVENT
  return {
    ...rest,
    multiValueQueryStringParameters: { colour: ['red', 'sky%20blue'] },
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
  }
}
