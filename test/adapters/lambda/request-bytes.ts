import * as fc from 'fast-check'

/** What a client sends over one connection, cut into the packets it sends it in. */
export interface Exchange {
  readonly bytes: Buffer
  /** How many requests it meant to send before anything was changed in them. */
  readonly requests: number
  readonly packets: readonly Buffer[]
}

const PATH = '/2015-03-31/functions'
/** The one Host of all exchanges: two servers on two ports are sent the same bytes. */
const HOST = 'Host: localhost'

const FUNCTIONS = ['now', 'now', 'later', 'large', 'failing', 'nobody', 'now:live', 'Bad%20name', '']
const TARGETS = [
  `${PATH}/now/invocations?Qualifier=7`,
  `${PATH}/now/invocations?Qualifier=`,
  `${PATH}/now/invocations#?Qualifier=7`,
  `/base${PATH}/now/invocations`,
  `${PATH}/now/invocations/`,
  `${PATH}/now/../now/invocations`,
  `${PATH}/now%2finvocations`,
  `//evil.test${PATH}/now/invocations`,
  `http://evil.test${PATH}/now/invocations`,
  `http://localhost${PATH}/now/invocations`,
  '/2021-11-15/functions/now/response-streaming-invocations',
  '/2015-03-31/functions',
  `${PATH}/n\x00w/invocations`,
  `${PATH}/n\xffw/invocations`,
  `${PATH}/"<>^\`{|}\\/invocations`,
  `${PATH}/${'n'.repeat(9000)}/invocations`,
  '/',
  '*',
  'localhost:80',
]
const METHODS = [
  'post',
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PATCH',
  'POSTS',
  'X',
  '',
]
const VERSIONS = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/0.9', 'HTTP/11', '']
/** Headers that a caller of Lambda sends. */
const USUAL = [
  'X-Amz-Invocation-Type: RequestResponse',
  'x-amz-invocation-type: DryRun',
  'X-Amz-Invocation-Type:\tEvent\t ',
  'X-Amz-Invocation-Type: nonsense',
  'X-Amz-Log-Type: Tail',
  'x-amz-log-type:Tail',
  'X-Amz-Client-Context: eyJhIjoxfQ==',
  'X-Amz-Client-Context: no',
  'X-Amz-Tenant-Id: blue',
  'X-Amzn-Trace-Id:   Root=1-5759e988-bd862e3fe1be46a994272793   ',
  'X-Amzn-Trace-Id:',
  'Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/lambda/aws4_request, Signature=0',
  'User-Agent: a (b; c) d/1.0',
  'Accept: */*',
  'Content-Type: application/json',
  'Connection: keep-alive',
  'Connection: Keep-Alive',
]
/** Headers and lines that may not change what a request means, or must be refused. */
const ODD = [
  'Connection: close',
  'Connection: keep-alive, close',
  'Connection: upgrade',
  'Connection: X-Amz-Log-Type',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
  'Expect: 100-continue',
  'Expect: something',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: chunked, identity',
  'TE: trailers',
  'Trailer: X-Amz-Log-Type',
  'Keep-Alive: timeout=1',
  'Proxy-Connection: close',
  HOST,
  'host: localhost',
  'Host: evil.test',
  'Host : localhost',
  'Host:',
  'Content-Length: 0',
  'Content-Length: 5',
  'content-length: 2, 2',
  'Content-Length: +2',
  'Content-Length: 0x2',
  'Content-Length: 002',
  'Content-Length: -2',
  'Content-Length: 2.0',
  'Content-Length: 2 2',
  'Content-Length:',
  'Content-Length : 2',
  'Content-Length: 99999999999',
  'Content-Length: 18446744073709551618',
  'Content-Length: 300000',
  ' folded: after the first line',
  'X-Folded: a\r\n b',
  'X-Folded: a\r\n\tTransfer-Encoding: chunked',
  'X-Bare: a\nTransfer-Encoding: chunked',
  'X-Bare: a\rTransfer-Encoding: chunked',
  'X-Null: a\x00b',
  'X-High: \xe9\xff',
  'X-Bell: \x07',
  'X-Delete: \x7f',
  'X-(odd): 1',
  'X odd: 1',
  ': nameless',
  'no colon',
  '\x00: 1',
  'Origin: http://evil.test',
  'Origin: http://localhost',
  'Sec-Fetch-Site: cross-site',
  'Sec-Fetch-Site: same-origin',
  'x-amz-invocation-type: Event, RequestResponse',
  `X-Long: ${'a'.repeat(9000)}`,
  `X-Longer: ${'a'.repeat(17_000)}`,
  `X-Spaces: ${' '.repeat(3000)}\x01`,
  ...[90, 120, 210].map((count) => Array.from({ length: count }, (_, index) => `x-${index}: 1`).join('\r\n')),
]
const BODIES = [
  '',
  '{}',
  '{"a":1}',
  '[]',
  'not json',
  '\x00\xff',
  '\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
]

const strict = (target: string, headers: readonly string[], body: string): string =>
  `POST ${target} HTTP/1.1\r\n${[HOST, ...headers, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`
const SMUGGLED = strict(`${PATH}/now/invocations`, [], '{"smuggled":true}')

const body = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...BODIES, SMUGGLED) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.constantFrom(2000, 70_000, 270_000).map((size) => 'b'.repeat(size)) },
)
const usualTarget = fc.constantFrom(...FUNCTIONS).map((name) => `${PATH}/${name}/invocations`)

const nameOf = (line: string): string => line.slice(0, line.indexOf(':')).toLowerCase()

/** The shape that the front takes. */
const strictRequest = fc
  .tuple(usualTarget, fc.uniqueArray(fc.constantFrom(...USUAL), { maxLength: 5, selector: nameOf }), body)
  .map(([target, headers, text]) => strict(target, headers, text))

/** The same with a few things about it changed, each of which may matter. */
const oddRequest = fc
  .record({
    method: fc.oneof({ weight: 5, arbitrary: fc.constant('POST') }, fc.constantFrom(...METHODS)),
    target: fc.oneof({ weight: 3, arbitrary: usualTarget }, fc.constantFrom(...TARGETS)),
    version: fc.oneof({ weight: 9, arbitrary: fc.constant('HTTP/1.1') }, fc.constantFrom(...VERSIONS)),
    headers: fc.array(fc.oneof(fc.constantFrom(...ODD), fc.constantFrom(...USUAL)), { maxLength: 3 }),
    hosts: fc.constantFrom(1, 1, 1, 1, 1, 0, 2),
    body,
    /** How far the announced length is off; undefined announces none. */
    off: fc.constantFrom(0, 0, 0, 0, undefined, undefined, 1, -1, 5, -5, 1000),
    lengthFirst: fc.boolean(),
    lineEnd: fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r\n'),
    before: fc.constantFrom('', '', '', '', '', '\r\n', '\n', ' ', '\0'),
  })
  .map(({ method, target, version, headers, hosts, body: text, off, lengthFirst, lineEnd, before }) => {
    const length = off === undefined ? [] : [`Content-Length: ${Math.max(0, text.length + off)}`]
    const lines = [
      `${method} ${target} ${version}`,
      ...Array.from({ length: hosts }, () => HOST),
      ...(lengthFirst ? [...length, ...headers] : [...headers, ...length]),
    ]
    return `${before}${lines.join(lineEnd)}${lineEnd}${lineEnd}${text}`
  })

const anyRequest = fc.oneof({ weight: 3, arbitrary: strictRequest }, { weight: 2, arbitrary: oddRequest })

interface Change {
  readonly kind: 'set' | 'insert' | 'remove' | 'cut'
  /** Where, as a fraction of what there is. */
  readonly at: number
  readonly byte: number
}

const SHARP_BYTES = [0x00, 0x09, 0x0a, 0x0b, 0x0d, 0x20, 0x2c, 0x30, 0x31, 0x3a, 0x3b, 0x7f, 0x80, 0xa0, 0xff]
const fraction = fc.double({ min: 0, max: 1, noNaN: true })
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('set', 'set', 'insert', 'insert', 'remove', 'cut'),
  at: fraction,
  byte: fc.oneof(fc.constantFrom(...SHARP_BYTES), fc.integer({ min: 0, max: 255 })),
})

/** A connection's worth of requests: pipelined, perhaps damaged, in packets that end anywhere. */
export const exchanges: fc.Arbitrary<Exchange> = fc
  .record({
    requests: fc.oneof(
      { weight: 2, arbitrary: fc.array(strictRequest, { minLength: 1, maxLength: 8 }) },
      { weight: 3, arbitrary: fc.array(anyRequest, { minLength: 1, maxLength: 6 }) },
    ),
    changes: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Change[]>([]) },
      { weight: 2, arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }) },
    ),
    cuts: fc.oneof(
      { weight: 2, arbitrary: fc.constant<number[]>([]) },
      { weight: 2, arbitrary: fc.array(fraction, { minLength: 1, maxLength: 4 }) },
    ),
  })
  .map(({ requests, changes, cuts }) => {
    const bytes = changes.reduce(applyChange, Buffer.from(requests.join(''), 'latin1'))
    return { bytes, requests: requests.length, packets: cutAt(bytes, cuts) }
  })

/** `text` as one exchange: in one packet, and in as many as it has bytes. */
export const wholeAndByByte = (text: string): Exchange[] => {
  const bytes = Buffer.from(text, 'latin1')
  const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
  return [
    { bytes, requests: 1, packets: [bytes] },
    { bytes, requests: 1, packets: single },
  ]
}

/** One exchange for each odd header, target, method and version, so that none depends on luck. */
export function craftedExchanges(): Exchange[] {
  const target = `${PATH}/now/invocations`
  const texts = [
    ...ODD.map((header) => strict(target, [header], '{}')),
    ...ODD.map((header) => strict(target, [header], SMUGGLED)),
    ...ODD.map(
      (header) => `POST ${target} HTTP/1.1\r\n${header}\r\n${HOST}\r\n\r\n5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ),
    ...USUAL.flatMap((header) => [strict(target, [header], '{}'), strict(target, [header, header], '{}')]),
    ...TARGETS.map((odd) => strict(odd, [], '{}')),
    ...METHODS.map((method) => strict(target, [], '{}').replace('POST', method)),
    ...VERSIONS.map((version) => strict(target, [], '{}').replace('HTTP/1.1', version)),
  ]
  // A strict request before and after: what follows must be read as nothing else.
  return texts.map((text) => {
    const bytes = Buffer.from(`${SMUGGLED}${text}${SMUGGLED}`, 'latin1')
    return { bytes, requests: 3, packets: [bytes] }
  })
}

function applyChange(bytes: Buffer, { kind, at, byte }: Change): Buffer {
  const index = Math.floor(at * bytes.length)
  const before = bytes.subarray(0, index)
  if (kind === 'cut') return before
  if (kind === 'remove') return Buffer.concat([before, bytes.subarray(index + 1)])
  return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(kind === 'set' ? index + 1 : index)])
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((at) => Math.floor(at * bytes.length)), bytes.length].toSorted((a, b) => a - b)
  let start = 0
  return ends.map((end) => bytes.subarray(start, (start = end)))
}
