import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStrict } from '../../../adapters/lambda/strict-request.ts'

const TARGET = '/2015-03-31/functions/orders/invocations'
const headOf = (line: string, ...headers: string[]): string => [line, ...headers].join('\r\n')
const post = (...headers: string[]): string =>
  headOf(`POST ${TARGET} HTTP/1.1`, 'Host: localhost', 'Content-Length: 2', ...headers)

const strict = suite('the strict shape')

strict('an invocation is read with the headers that matter, whatever their case and white space', () => {
  const request = parseStrict(
    headOf(
      `POST ${TARGET}?Qualifier=live HTTP/1.1`,
      'host:localhost',
      'CONTENT-LENGTH: 12',
      'X-Amz-Invocation-Type:\t Event \t',
      'x-amz-log-type: Tail',
      'X-AMZ-CLIENT-CONTEXT: e30=',
      'X-Amz-Tenant-Id: a b',
      'X-Amzn-Trace-Id: Root=1',
      'Authorization: AWS4-HMAC-SHA256 a=b, c=d',
      'Connection: Keep-Alive',
      'X-Empty:',
    ),
  )

  assert.equal(request?.head, {
    streaming: false,
    label: 'orders',
    query: 'Qualifier=live',
    authorization: 'AWS4-HMAC-SHA256 a=b, c=d',
    invocationType: 'Event',
    logType: 'Tail',
    clientContext: 'e30=',
    tenantId: 'a b',
    traceId: 'Root=1',
  })
  assert.is(request?.bodyBytes, 12)
  assert.is(request?.url, `${TARGET}?Qualifier=live`)
  assert.equal(request?.rawHeaders.slice(-2), ['X-Empty', ''])
})

strict('every other method, version and target is left to Node', () => {
  const lines = [
    `post ${TARGET} HTTP/1.1`,
    `GET ${TARGET} HTTP/1.1`,
    `POST ${TARGET} HTTP/1.0`,
    `POST ${TARGET} HTTP/1.1 `,
    `POST  ${TARGET} HTTP/1.1`,
    `POST ${TARGET}`,
    ` POST ${TARGET} HTTP/1.1`,
    `POST http://localhost${TARGET} HTTP/1.1`,
    `POST ${TARGET}/ HTTP/1.1`,
    `POST ${TARGET}\x00 HTTP/1.1`,
    `POST ${TARGET}\xe9 HTTP/1.1`,
    `POST ${TARGET}\t HTTP/1.1`,
    'POST /2021-11-15/functions/orders/response-streaming-invocations HTTP/1.1',
    'POST /2015-03-31/functions HTTP/1.1',
    '',
  ]
  for (const line of lines) {
    assert.is(parseStrict(headOf(line, 'Host: localhost', 'Content-Length: 2')), undefined, line)
  }
})

strict('whatever bears on framing, on the connection, or comes twice is left to Node', () => {
  const headers = [
    'Transfer-Encoding: chunked',
    'transfer-encoding: identity',
    'Expect: 100-continue',
    'Upgrade: h2c',
    'Trailer: X-A',
    'TE: trailers',
    'Keep-Alive: timeout=5',
    'Connection: close',
    'Connection: keep-alive, upgrade',
    'Content-Length: 2',
    'content-length: 3',
    'Host: localhost',
    'host: evil.test',
    'Host : localhost',
    'X-A : b',
    ' X-A: b',
    '\tfolded',
    'X-A: b\nTransfer-Encoding: chunked',
    'X-A: b\rTransfer-Encoding: chunked',
    'X-A: \x00',
    'X-A: \x7f',
    'X-A: \xe9',
    'X(A): b',
    'X-A',
    ': b',
    '',
  ]
  assert.ok(parseStrict(post('X-A: b')))
  for (const header of headers) assert.is(parseStrict(post(header)), undefined, JSON.stringify(header))
  const twice = ['X-Amz-Log-Type: Tail', 'Authorization: a', 'X-Amz-Invocation-Type: Event']
  for (const header of twice) {
    assert.ok(parseStrict(post(header)))
    assert.is(parseStrict(post(header, header.toLowerCase())), undefined, header)
  }
})

strict('a length is plain digits, and there is one', () => {
  const lengths = ['+2', '-2', '0x2', '02', '2.0', '2, 2', '2 2', '', '99999999999', '1e1', '２']
  for (const length of lengths) {
    const text = headOf(`POST ${TARGET} HTTP/1.1`, 'Host: localhost', `Content-Length: ${length}`)
    assert.is(parseStrict(text), undefined, length)
  }
  assert.is(parseStrict(headOf(`POST ${TARGET} HTTP/1.1`, 'Host: localhost')), undefined)
  assert.is(parseStrict(headOf(`POST ${TARGET} HTTP/1.1`, 'Content-Length: 0')), undefined)
})

strict('more header lines than a hundred are left to Node', () => {
  const lines = (count: number): string[] => Array.from({ length: count }, (_, index) => `x-${index}: 1`)

  assert.ok(parseStrict(post(...lines(97))))
  assert.is(parseStrict(post(...lines(98))), undefined)
})

strict('no head of 8 KB takes more than a moment to read, however it is made', () => {
  const hostile = [' ', '\t', 'a ', ' a', '-', ':', '\r\n', 'a:', '\r', 'a\r\n'].map((unit) =>
    post(`x:${unit.repeat(8000 / unit.length)}\x01`),
  )
  const startMs = performance.now()

  for (let round = 0; round < 20; round++) for (const head of hostile) parseStrict(head)

  const perHeadMs = (performance.now() - startMs) / 20 / hostile.length
  assert.ok(perHeadMs < 5, `${perHeadMs} ms a head`)
})

strict.run()
