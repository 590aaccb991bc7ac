/** One part of a route's path. A greedy one takes all that is left, one part at least. */
export type PatternPart =
  { kind: 'text'; text: string } | { kind: 'parameter'; name: string } | { kind: 'greedy'; name: string }

/** What a route matches: `GET /pets/{id}`, `ANY /files/{path+}` or `$default`. */
export interface RoutePattern {
  readonly key: string
  /** Undefined: any method. */
  readonly method: string | undefined
  /** Undefined: `$default`, which takes what no other route does. */
  readonly parts: readonly PatternPart[] | undefined
}

const METHODS = new Set(['ANY', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const PARAMETER = /^\{([\w.-]+)(\+?)\}$/
const TEXT = /^[^{}+?#\s]*$/
const MAX_KEY_LENGTH = 1024

/** Reads a route key; a text says what is wrong with it. */
export function parsePattern(key: string): RoutePattern | string {
  if (key === '$default') return { key, method: undefined, parts: undefined }
  if (key.length > MAX_KEY_LENGTH) return `a route has at most ${MAX_KEY_LENGTH} characters`
  const [method = '', path, ...more] = key.split(' ')
  if (path === undefined || more.length > 0)
    return `write "METHOD /path", such as "GET /pets/{id}", or "$default"`
  if (!METHODS.has(method)) return `"${method}" is no method: ${[...METHODS].join(', ')}`
  if (!path.startsWith('/')) return 'the path begins with /'
  const parts: PatternPart[] = []
  for (const text of path.slice(1).split('/')) {
    if (parts.at(-1)?.kind === 'greedy') return 'nothing may follow a greedy parameter such as {proxy+}'
    const parameter = PARAMETER.exec(text)
    if (parameter !== null) {
      const [, name = '', plus] = parameter
      if (parts.some((part) => part.kind !== 'text' && part.name === name)) return `{${name}} is there twice`
      parts.push({ kind: plus === '+' ? 'greedy' : 'parameter', name })
    } else if (TEXT.test(text)) parts.push({ kind: 'text', text })
    else return `"${text}" is neither a text nor one parameter such as {id} or {proxy+}`
  }
  return { key, method: method === 'ANY' ? undefined : method, parts }
}

/** Why a route cannot lead to an actor; undefined: it can. A key that cannot be read is told elsewhere. */
export function whyNoActorRoute(key: string): string | undefined {
  const pattern = parsePattern(key)
  if (typeof pattern === 'string') return undefined
  const isRead = pattern.method === 'GET' || (pattern.method === undefined && pattern.parts !== undefined)
  if (isRead && pattern.parts?.some((part) => part.kind !== 'text' && part.name === 'key') === true)
    return undefined
  return 'a route to an actor is GET, and names the actor\'s key: "GET /rooms/{key}"'
}

/** The same for patterns that match the same requests: parameters without their names. */
export function shapeOf({ method = 'ANY', parts }: RoutePattern): string {
  if (parts === undefined) return '$default'
  const path = parts.map((part) => (part.kind === 'text' ? part.text : part.kind === 'greedy' ? '{+}' : '{}'))
  return `${method} /${path.join('/')}`
}

const RANK = { text: 0, parameter: 1, greedy: 2 } as const

/**
 * Orders patterns as API Gateway tries them: those that match the whole path before greedy ones, `$default`
 * last; part by part, a text before a parameter; a method before any.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 */
export function bySpecificity(left: RoutePattern, right: RoutePattern): number {
  const greedy = greediness(left) - greediness(right)
  if (greedy !== 0 || left.parts === undefined || right.parts === undefined) return greedy
  for (const [index, part] of left.parts.entries()) {
    const other = right.parts[index]
    if (other === undefined) return -1
    const rank = RANK[part.kind] - RANK[other.kind]
    if (rank !== 0) return rank
  }
  if (left.parts.length < right.parts.length) return 1
  return Number(left.method === undefined) - Number(right.method === undefined)
}

const greediness = ({ parts }: RoutePattern): number =>
  parts === undefined ? 2 : parts.at(-1)?.kind === 'greedy' ? 1 : 0

/** The parameters of a path that matches, still encoded; undefined when it does not. */
export function matchPath(
  parts: readonly PatternPart[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const greedy = parts.at(-1)?.kind === 'greedy'
  if (greedy ? segments.length < parts.length : segments.length !== parts.length) return undefined
  const found = Object.create(null) as Record<string, string> // `__proto__` is a name like any other
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? ''
    if (part.kind === 'text') {
      if (segment !== part.text && decoded(segment) !== part.text) return undefined
    } else if (part.kind === 'parameter') {
      if (segment === '') return undefined
      found[part.name] = segment
    } else {
      const rest = segments.slice(index).join('/')
      if (rest === '') return undefined
      found[part.name] = rest
    }
  }
  return found
}

/** Without its escapes; as it is where they are broken. */
export function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
