import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { AuthError, mismatch } from './auth-error.ts'
import { canonicalRequest, queryParameter, soleHeader, type SignedRequest } from './canonical.ts'

/** A signature as a request carries it, read but not believed. */
export interface Signature {
  readonly keyId: string
  /** `20260131`, of the credential scope. */
  readonly date: string
  readonly region: string
  readonly service: string
  /** In lower case, in the order given. */
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** `20260131T010203Z`. */
  readonly time: string
  readonly timeMs: number
  /** Of a presigned URL: how long after `time` it may be used. */
  readonly expiresMs: number | undefined
  readonly sessionToken: string | undefined
  /** What the sender says of the body: a hash, or `UNSIGNED-PAYLOAD`; undefined: nothing. */
  readonly payloadHash: string | undefined
}

/** How far a sender's clock may be off. */
export const MAX_SKEW_MS = 15 * 60_000
const MAX_EXPIRES_SECONDS = 604_800
const ALGORITHM = 'AWS4-HMAC-SHA256'
const TERMINATOR = 'aws4_request'
/** Said in place of a hash by a sender who does not want to read the body twice. */
export const UNSIGNED = 'UNSIGNED-PAYLOAD'

/**
 * Reads the signature of a request, from its `Authorization` header or from its query; undefined when it has
 * none. Throws AuthError 'IncompleteSignatureException' for one that lacks something.
 */
export function readSignature(request: SignedRequest): Signature | undefined {
  const authorization = soleHeader(request.rawHeaders, 'authorization')
  const algorithm = request.url.includes('X-Amz-')
    ? queryParameter(request.url, 'X-Amz-Algorithm')
    : undefined
  if (authorization === undefined) return algorithm === undefined ? undefined : readQuery(request, algorithm)
  if (algorithm !== undefined) throw mismatch() // signed twice: which one would count?
  const space = authorization.indexOf(' ')
  const scheme = space < 0 ? authorization : authorization.slice(0, space)
  if (scheme !== ALGORITHM) {
    if (!scheme.startsWith('AWS')) return undefined
    throw new AuthError('IncompleteSignatureException', `Unsupported AWS 'algorithm': '${scheme}'.`)
  }
  return readHeader(request, authorization, authorization.slice(space + 1))
}

function readHeader(request: SignedRequest, authorization: string, text: string): Signature {
  const members = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const name = part.slice(0, equals).trim()
    if (equals < 0 || members.has(name))
      throw incomplete(
        `'${part.trim()}' not a valid key=value pair (missing equal-sign) in Authorization header: '${authorization}'.`,
      )
    members.set(name, part.slice(equals + 1).trim())
  }
  const { rawHeaders } = request
  const time = soleHeader(rawHeaders, 'x-amz-date') ?? dateHeader(soleHeader(rawHeaders, 'date'))
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !members.get(name))
    .map((name) => `Authorization header requires '${name}' parameter.`)
  if (time === undefined)
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
  if (time === undefined || missing.length > 0)
    throw incomplete(`${missing.join(' ')} Authorization=${authorization}`)
  return {
    ...readScope(members.get('Credential') ?? ''),
    ...readTime(time),
    signedHeaders: (members.get('SignedHeaders') ?? '').split(';'),
    signature: members.get('Signature') ?? '',
    expiresMs: undefined,
    sessionToken: soleHeader(rawHeaders, 'x-amz-security-token'),
    payloadHash: soleHeader(rawHeaders, 'x-amz-content-sha256'),
  }
}

function readQuery({ url, rawHeaders }: SignedRequest, algorithm: string): Signature {
  if (algorithm !== ALGORITHM) throw incomplete(`Unsupported AWS 'algorithm': '${algorithm}'.`)
  const values = new Map<string, string>()
  const names = ['Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature']
  for (const name of names) values.set(name, queryParameter(url, `X-Amz-${name}`) ?? '')
  const missing = names.filter((name) => values.get(name) === '')
  if (missing.length > 0)
    throw incomplete(
      `${missing.map((name) => `AWS query-string parameters must include 'X-Amz-${name}'.`).join(' ')} Re-examine the query-string parameters.`,
    )
  const expires = values.get('Expires') ?? ''
  const seconds = /^\d{1,7}$/.test(expires) ? Number(expires) : 0
  if (seconds < 1 || seconds > MAX_EXPIRES_SECONDS)
    throw incomplete(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${MAX_EXPIRES_SECONDS} seconds`,
    )
  return {
    ...readScope(values.get('Credential') ?? ''),
    ...readTime(values.get('Date') ?? ''),
    signedHeaders: (values.get('SignedHeaders') ?? '').split(';'),
    signature: values.get('Signature') ?? '',
    expiresMs: seconds * 1000,
    sessionToken: queryParameter(url, 'X-Amz-Security-Token'),
    payloadHash:
      queryParameter(url, 'X-Amz-Content-Sha256') ??
      queryParameter(url, 'x-amz-content-sha256') ??
      soleHeader(rawHeaders, 'x-amz-content-sha256'),
  }
}

/**
 * Checks all of a signature but the body: the key's secret, what was signed, and when. Throws AuthError.
 *
 * `payloadHash` is what stands for the body in the canonical request.
 */
export function verifySignature(
  signature: Signature,
  request: SignedRequest,
  signingKey: Buffer,
  payloadHash: string,
): void {
  const { time, date, region, service, signedHeaders } = signature
  const canonical = canonicalRequest(request, signedHeaders, payloadHash)
  const hash = createHash('sha256').update(canonical, 'latin1').digest('hex')
  const text = `${ALGORITHM}\n${time}\n${date}/${region}/${service}/${TERMINATOR}\n${hash}`
  const expected = createHmac('sha256', signingKey).update(text).digest()
  const given = /^[0-9a-f]{64}$/.test(signature.signature)
    ? Buffer.from(signature.signature, 'hex')
    : undefined
  if (given === undefined || !timingSafeEqual(expected, given)) throw mismatch()
}

/**
 * Checks what needs no secret: that the request was signed now, for this service, with its host and with
 * every header of AWS's that it carries. Throws AuthError 'InvalidSignatureException'.
 */
export function checkSignature(
  signature: Signature,
  request: SignedRequest,
  options: { services: readonly string[]; nowMs: number },
): void {
  const { service, date, time, signedHeaders } = signature
  if (!options.services.includes(service))
    throw invalid(`Credential should be scoped to correct service: '${options.services[0] ?? ''}'. `)
  if (!signedHeaders.includes('host'))
    throw invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase()
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name))
      throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
  }
  if (!time.startsWith(date))
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${time.slice(0, 8)}', from '${time}'.`,
    )
  checkTime(signature, options.nowMs)
}

function checkTime({ time, timeMs, expiresMs }: Signature, exactMs: number): void {
  const nowMs = exactMs - (exactMs % 1000) // signatures know whole seconds
  const now = basicTime(nowMs)
  const patienceMs = expiresMs ?? MAX_SKEW_MS
  const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min.`
  if (timeMs < nowMs - patienceMs)
    throw invalid(
      `Signature expired: ${time} is now earlier than ${basicTime(nowMs - patienceMs)} (${now} - ${minutes(patienceMs)})`,
    )
  if (timeMs > nowMs + MAX_SKEW_MS)
    throw invalid(
      `Signature not yet current: ${time} is still later than ${basicTime(nowMs + MAX_SKEW_MS)} (${now} + ${minutes(MAX_SKEW_MS)})`,
    )
}

/** The key of one day, region and service, made of a secret. */
export function deriveSigningKey(
  secret: string,
  { date, region, service }: Pick<Signature, 'date' | 'region' | 'service'>,
): Buffer {
  const step = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return step(step(step(step(`AWS4${secret}`, date), region), service), TERMINATOR)
}

const incomplete = (message: string): AuthError => new AuthError('IncompleteSignatureException', message)
const invalid = (message: string): AuthError => new AuthError('InvalidSignatureException', message)

/** `<key id>/<date>/<region>/<service>/aws4_request`. */
function readScope(credential: string): Pick<Signature, 'keyId' | 'date' | 'region' | 'service'> {
  const parts = credential.split('/')
  const [keyId = '', date = '', region = '', service = '', terminator = ''] = parts
  if (parts.length !== 5 || keyId === '')
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    )
  if (terminator !== TERMINATOR)
    throw invalid(
      `Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator}'. `,
    )
  if (!/^[a-z0-9-]{1,32}$/.test(region)) throw invalid('Credential should be scoped to a valid region. ')
  return { keyId, date, region, service }
}

const BASIC_TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

function readTime(time: string): Pick<Signature, 'time' | 'timeMs'> {
  const timeMs = Date.parse(time.replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z'))
  if (!BASIC_TIME.test(time) || Number.isNaN(timeMs))
    throw incomplete(`Date must be in ISO-8601 'basic format'. Got '${time}'.`)
  return { time, timeMs }
}

/** A Date header, in either of its spellings, in ISO 8601's basic format. */
function dateHeader(date: string | undefined): string | undefined {
  if (date === undefined || BASIC_TIME.test(date)) return date
  const timeMs = Date.parse(date)
  return Number.isNaN(timeMs) ? undefined : basicTime(timeMs)
}

const basicTime = (timeMs: number): string => new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
