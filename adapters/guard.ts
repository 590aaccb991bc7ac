import { isIP, isIPv6 } from 'node:net'

/** Why a request is turned away before anything looks at it. */
export interface Refusal {
  readonly status: 400 | 403 | 421 | 431
  /** What `x-amzn-ErrorType` says on the api port. */
  readonly code: string
  readonly message: string
}

/**
 * Who may talk to one listener. Made once by `createGuardPolicy`; its only mutable part is a cache of one
 * entry.
 */
export interface GuardPolicy {
  /** On the api port a browser is let in only from our own origin; on ingress each URL's `Cors` decides. */
  readonly face: 'api' | 'ingress'
  /** How this listener's own pages are reached. */
  readonly protocol: 'http' | 'https'
  /** Lower-case host names that are let in beside localhost and loopback. */
  readonly names: ReadonlySet<string>
  /** Suffixes with their leading dot: `.example.com` lets every name below example.com in. */
  readonly suffixes: readonly string[]
  /** Origin of the proxy in front of this listener, if there is one. */
  readonly publicOrigin: string | undefined
  /** The Host that was let in last: nearly every request carries the same one. */
  lastHost: string | undefined
}

/**
 * More header lines than this are refused: Node would otherwise drop the ones past its own limit without a
 * word.
 */
export const MAX_HEADER_LINES = 200

/**
 * The policy of a listener bound to `listenHost`. `allowHosts` are names, or `*.name` for all names below
 * one. Binding to every address (0.0.0.0, ::) allows no further name: those have to be said.
 */
export function createGuardPolicy(options: {
  face: 'api' | 'ingress'
  listenHost: string
  allowHosts: readonly string[]
  publicUrl?: string | undefined
  protocol?: 'http' | 'https'
}): GuardPolicy {
  const names = new Set<string>()
  const suffixes: string[] = []
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl)
  const given = [options.listenHost, ...options.allowHosts, ...(publicUrl ? [publicUrl.hostname] : [])]
  for (const item of given) {
    const name = item.toLowerCase()
    if (name.startsWith('*.')) {
      suffixes.push(name.slice(1))
    } else if (!EVERY_ADDRESS.has(name)) {
      names.add(isIPv6(name) ? `[${name}]` : name)
      // Function URLs are names below the one they are served at.
      if (options.face === 'ingress' && isIP(name) === 0) suffixes.push(`.${name}`)
    }
  }
  return {
    face: options.face,
    protocol: options.protocol ?? 'http',
    names,
    suffixes,
    publicOrigin: publicUrl?.origin,
    lastHost: undefined,
  }
}

/**
 * Checks a request as Node received it, before routing: exactly one Host, on the allow-list (which is what
 * stops DNS rebinding); no target with a host of its own; not too many headers; on the api port no browser
 * from elsewhere, whatever the method. Undefined: let it in.
 */
export function guard(
  rawHeaders: readonly string[],
  url: string,
  method: string,
  policy: GuardPolicy,
): Refusal | undefined {
  if (rawHeaders.length > MAX_HEADER_LINES * 2) return TOO_MANY_HEADERS
  if (url.charCodeAt(0) !== SLASH) return badTarget(method, url)
  let host: string | undefined
  let isBrowser = false
  // The length of a name rules nearly every header out without comparing text.
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 4) {
      if (name.toLowerCase() !== 'host') continue
      if (host !== undefined) return TWO_HOSTS
      host = rawHeaders[index + 1] ?? ''
    } else if (name.length === 6 || name.length === 14) {
      isBrowser ||= isBrowserHeader(name)
    }
  }
  if (host === undefined) return NO_HOST
  if (host !== policy.lastHost) {
    if (!isAllowedHost(host, policy)) return unknownHost(host)
    policy.lastHost = host
  }
  return isBrowser && policy.face === 'api' ? checkBrowser(rawHeaders, host, policy) : undefined
}

const SLASH = 0x2f
const EVERY_ADDRESS = new Set(['0.0.0.0', '::', '', '*'])
const PORT = /^\d{1,5}$/
const LOOPBACK = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/

const TOO_MANY_HEADERS: Refusal = {
  status: 431,
  code: 'RequestHeaderFieldsTooLarge',
  message: `A request may carry at most ${MAX_HEADER_LINES} header lines.`,
}
const NO_HOST: Refusal = {
  status: 400,
  code: 'BadRequestException',
  message: 'A request needs a Host header.',
}
const TWO_HOSTS: Refusal = {
  status: 400,
  code: 'BadRequestException',
  message: 'A request may carry one Host header only.',
}

const badTarget = (method: string, url: string): Refusal => ({
  status: 400,
  code: 'BadRequestException',
  message: `The target of a request must be a path: ${method} ${url.slice(0, 100)}`,
})

const unknownHost = (host: string): Refusal => ({
  status: 421,
  code: 'MisdirectedRequestException',
  message: `This listener does not serve the host ${JSON.stringify(host.slice(0, 100))}. Start with --allow-host to add it.`,
})

const foreign = (header: string, value: string): Refusal => ({
  status: 403,
  code: 'AccessDeniedException',
  message: `A page from another origin may not use this API (${header}: ${value.slice(0, 100)}).`,
})

function isBrowserHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'origin' || lower === 'sec-fetch-site'
}

/** Every Origin and Sec-Fetch-Site line must say that the request comes from this listener's own pages. */
function checkBrowser(rawHeaders: readonly string[], host: string, policy: GuardPolicy): Refusal | undefined {
  const ownOrigin = `${policy.protocol}://${host.toLowerCase()}`
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    if (name === 'origin') {
      if (value.toLowerCase() !== ownOrigin && value !== policy.publicOrigin) return foreign('Origin', value)
    } else if (name === 'sec-fetch-site' && value !== 'same-origin' && value !== 'none') {
      return foreign('Sec-Fetch-Site', value)
    }
  }
  return undefined
}

/** Whether a Host header, port and all, names this listener. */
function isAllowedHost(host: string, policy: GuardPolicy): boolean {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':')
  const name = (end > 0 ? host.slice(0, end) : host).toLowerCase()
  if (end > 0 && end < host.length && (host[end] !== ':' || !PORT.test(host.slice(end + 1)))) return false
  if (name === 'localhost' || name === '[::1]' || policy.names.has(name)) return true
  if (LOOPBACK.test(name)) return name.split('.').every((part) => Number(part) <= 255)
  return HOST_NAME.test(name) && (name.endsWith('.localhost') || isBelow(name, policy.suffixes))
}

const HOST_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/
const isBelow = (name: string, suffixes: readonly string[]): boolean =>
  suffixes.some((suffix) => name.length > suffix.length && name.endsWith(suffix))
