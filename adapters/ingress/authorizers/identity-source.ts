import type { ValueList } from '../header-lists.ts'

/** Where identity is looked for. */
export interface IdentityPlaces {
  readonly headers: readonly ValueList[]
  readonly parameters: readonly ValueList[]
  readonly stageVariables: Readonly<Record<string, string>>
  readonly routeKey: string
  readonly method: string
  readonly path: string
}

/**
 * The value that a source names: `$request.header.Authorization` in the words of HTTP APIs,
 * `method.request.header.Authorization` in those of REST APIs. Undefined: it is missing or empty.
 */
export function identityAt(source: string, places: IdentityPlaces): string | undefined {
  const [, place = '', name = ''] =
    /^\$?(?:method\.)?(\w+(?:\.(?:header|querystring))?)\.(.+)$/.exec(source) ?? []
  const value = valueAt(place, name, places)
  return value === '' ? undefined : value
}

function valueAt(place: string, name: string, places: IdentityPlaces): string | undefined {
  switch (place) {
    case 'request.header':
      return joined(places.headers.find((one) => one.name.toLowerCase() === name.toLowerCase()))
    case 'request.querystring':
      return joined(places.parameters.find((one) => one.name === name))
    case 'stageVariables':
      return Object.hasOwn(places.stageVariables, name) ? places.stageVariables[name] : undefined
    case 'context':
      return contextValue(name, places)
    default:
      return undefined
  }
}

function contextValue(name: string, { routeKey, method, path }: IdentityPlaces): string | undefined {
  if (name === 'routeKey') return routeKey
  if (name === 'httpMethod') return method
  return name === 'path' ? path : undefined
}

const joined = (list: ValueList | undefined): string | undefined => list?.values.join(',')
