import { mismatch } from './auth-error.ts'

/** A request as it stands on the wire, before anything has been decoded. */
export interface SignedRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Node's flat list: name, value, name, value. */
  readonly rawHeaders: readonly string[]
}

/**
 * The canonical request of signature version 4. Throws AuthError 'InvalidSignatureException' when a header
 * that was signed is not there.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  const { method, url, rawHeaders } = request
  const mark = url.indexOf('?')
  const headers = signedHeaders.map((name) => `${name}:${canonicalHeader(rawHeaders, name)}\n`)
  return [
    method,
    canonicalPath(mark < 0 ? url : url.slice(0, mark)),
    canonicalQuery(mark < 0 ? '' : url.slice(mark + 1)),
    headers.join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
}

/**
 * The path as every service but S3 signs it: dots and empty segments gone, then what is encoded already
 * encoded once more.
 */
export function canonicalPath(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(encode(segment))
  }
  return segments.length === 0 ? '/' : `/${segments.join('/')}${path.endsWith('/') ? '/' : ''}`
}

/** Decoded and encoded AWS's way, in the order of names, then values; without a presigned URL's signature. */
export function canonicalQuery(query: string): string {
  if (query === '') return ''
  const pairs: [name: string, value: string][] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals < 0 ? part : part.slice(0, equals)
    const value = equals < 0 ? '' : part.slice(equals + 1)
    if (name === 'X-Amz-Signature') continue
    pairs.push([encode(decode(name)), encode(decode(value))])
  }
  pairs.sort(([leftName, left], [rightName, right]) => compare(leftName, rightName) || compare(left, right))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

/** A query parameter decoded; a second one of the same name is nobody's honest mistake. Throws AuthError. */
export function queryParameter(url: string, wanted: string): string | undefined {
  const mark = url.indexOf('?')
  if (mark < 0) return undefined
  let found: string | undefined
  for (const part of url.slice(mark + 1).split('&')) {
    const equals = part.indexOf('=')
    if (decode(equals < 0 ? part : part.slice(0, equals)) !== wanted) continue
    if (found !== undefined) throw mismatch()
    found = equals < 0 ? '' : decode(part.slice(equals + 1))
  }
  return found
}

/** The one line of a header; undefined: none. Two of them are refused. `name` is in lower case. */
export function soleHeader(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] ?? ''
    if (given.length !== name.length || given.toLowerCase() !== name) continue
    if (found !== undefined) throw mismatch()
    found = rawHeaders[index + 1] ?? ''
  }
  return found
}

/** All lines of a header, trimmed, runs of spaces folded, joined with commas. */
function canonicalHeader(rawHeaders: readonly string[], name: string): string {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] ?? ''
    if (given.length === name.length && given.toLowerCase() === name)
      values.push((rawHeaders[index + 1] ?? '').trim().replaceAll(/ +/g, ' '))
  }
  if (values.length === 0) throw mismatch()
  return values.join(',')
}

/** Everything but letters, digits and `-._~` as upper-case escapes. The text is bytes, one a character. */
function encode(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text
  let encoded = ''
  for (const byte of Buffer.from(text, 'latin1')) {
    const character = String.fromCharCode(byte)
    encoded += /[\w.~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** Bytes, one a character. An escape that is none stands for itself, a plus for a space. */
const decode = (text: string): string =>
  text
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9a-fA-F]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
