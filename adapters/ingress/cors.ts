import type { CorsSettings } from '../../runtime/registry/function-record.ts'

/** The parts of a browser's request that CORS looks at; undefined: the header is absent. */
export interface CorsRequest {
  readonly origin: string | undefined
  /** Access-Control-Request-Method: what makes an OPTIONS request a preflight. */
  readonly wantedMethod: string | undefined
  readonly wantedHeaders: string | undefined
}

/**
 * Headers that answer a preflight, alternating names and values; without any when the origin is not
 * allowed.
 */
export function preflightHeaders(cors: CorsSettings, request: CorsRequest): string[] {
  const headers = originHeaders(cors, request.origin)
  if (headers.length === 0) return headers
  // With credentials a browser takes `*` literally, so it is spelled out as what was asked for.
  const methods = spelled(cors, cors.allowMethods ?? [], request.wantedMethod)
  const names = spelled(cors, cors.allowHeaders ?? [], request.wantedHeaders)
  if (methods !== '') headers.push('access-control-allow-methods', methods)
  if (names !== '') headers.push('access-control-allow-headers', names)
  if (cors.maxAgeSeconds !== undefined) headers.push('access-control-max-age', String(cors.maxAgeSeconds))
  return headers
}

/** A handler's headers with its own CORS ones replaced by what the URL says. */
export function withCors(
  headers: readonly string[],
  cors: CorsSettings,
  origin: string | undefined,
): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (!name.toLowerCase().startsWith('access-control-')) kept.push(name, headers[index + 1] ?? '')
  }
  return [...kept, ...originHeaders(cors, origin)]
}

/** Whether pages of an origin may read what comes back. */
export const allowsOrigin = ({ allowOrigins = [] }: CorsSettings, origin: string): boolean =>
  allowOrigins.some((allowed) => matches(allowed, origin))

function originHeaders(cors: CorsSettings, origin: string | undefined): string[] {
  const { allowOrigins = [], allowCredentials = false, exposeHeaders = [] } = cors
  if (origin === undefined || !allowsOrigin(cors, origin)) return []
  const anyone = allowOrigins.includes('*') && !allowCredentials
  const headers = ['access-control-allow-origin', anyone ? '*' : origin]
  if (!anyone) headers.push('vary', 'Origin')
  if (allowCredentials) headers.push('access-control-allow-credentials', 'true')
  if (exposeHeaders.length > 0) headers.push('access-control-expose-headers', exposeHeaders.join(','))
  return headers
}

function spelled(cors: CorsSettings, allowed: readonly string[], wanted: string | undefined): string {
  return cors.allowCredentials === true && allowed.includes('*') && wanted !== undefined
    ? wanted
    : allowed.join(',')
}

/** One `*` stands for anything: `https://*.example.com`. */
function matches(allowed: string, origin: string): boolean {
  const star = allowed.indexOf('*')
  if (star < 0) return allowed.toLowerCase() === origin.toLowerCase()
  const before = allowed.slice(0, star).toLowerCase()
  const after = allowed.slice(star + 1).toLowerCase()
  const given = origin.toLowerCase()
  return given.length >= before.length + after.length && given.startsWith(before) && given.endsWith(after)
}
