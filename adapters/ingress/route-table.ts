import type { RouteRecord, Routes } from '../../runtime/registry/routes.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { DEFAULT_ACCOUNT, DEFAULT_REGION } from '../lambda/scope.ts'
import { apiIdOf } from './api-id.ts'
import {
  bySpecificity,
  decoded,
  matchPath,
  parsePattern,
  type RoutePattern,
} from '../../runtime/registry/route-pattern.ts'
import type { RouteSettings } from './route-settings.ts'

/** A route ready to be matched. */
export interface Route {
  readonly record: RouteRecord
  readonly settings: RouteSettings
  readonly pattern: RoutePattern
}

/** The route that a request takes. */
export interface RouteMatch {
  readonly apiId: string
  readonly route: Route
  /** As sent, escapes and all; undefined: the route has none. */
  readonly pathParameters: Readonly<Record<string, string>> | undefined
}

/** What is known of a request that no route takes. */
export interface NoRoute {
  /** Undefined: there are no routes at all. */
  readonly payload: RouteSettings['payload'] | undefined
}

interface Table {
  readonly scope: Scope
  readonly apiId: string
  /** As they are tried. */
  readonly routes: readonly Route[]
}

const HOST_FORM = /^([a-z0-9]{10})\.execute-api\.([a-z0-9-]+)\./i

/**
 * Finds routes by host, method and path. `<api id>.execute-api.<region>.…` means one account's and region's
 * routes; any other host those of the default account and region first, then everybody's.
 */
export class RouteTables {
  readonly #routes: Routes
  #tables: readonly Table[] = []
  #revision = -1

  constructor(routes: Routes) {
    this.#routes = routes
  }

  find(host: string, method: string, path: string): RouteMatch | NoRoute {
    const tables = this.#tablesFor(host)
    const segments = path.slice(1).split('/')
    for (const table of tables) {
      for (const route of table.routes) {
        const pathParameters = matched(route, method, segments)
        if (pathParameters === undefined) continue
        const isEmpty = Object.keys(pathParameters).length === 0
        return { apiId: table.apiId, route, pathParameters: isEmpty ? undefined : pathParameters }
      }
    }
    const all = tables.flatMap(({ routes }) => routes)
    const [first] = all
    if (first === undefined) return { payload: undefined }
    // The words of a REST API only where there is nothing else.
    const { payload } = first.settings
    return { payload: all.every((route) => route.settings.payload === payload) ? payload : '2.0' }
  }

  #tablesFor(host: string): readonly Table[] {
    if (this.#revision !== this.#routes.revision) {
      this.#revision = this.#routes.revision
      this.#tables = this.#routes.scopes().map((scope) => tableOf(scope, this.#routes.list(scope)))
      this.#tables = this.#tables.toSorted(byScope)
    }
    const named = HOST_FORM.exec(host)
    if (named === null) return this.#tables
    const [, apiId = '', region = ''] = named
    return this.#tables.filter(
      (table) => table.apiId === apiId.toLowerCase() && table.scope.region === region.toLowerCase(),
    )
  }
}

function matched(
  route: Route,
  method: string,
  segments: readonly string[],
): Record<string, string> | undefined {
  const { pattern, settings } = route
  if (pattern.method !== undefined && pattern.method !== method) return undefined
  if (pattern.parts === undefined) return {}
  const found = matchPath(pattern.parts, segments)
  // A REST API takes a slash too many at the end for none.
  if (found !== undefined || settings.payload !== 'rest' || segments.length < 2 || segments.at(-1) !== '')
    return found
  return matchPath(pattern.parts, segments.slice(0, -1))
}

function tableOf(scope: Scope, records: readonly RouteRecord[]): Table {
  const routes = records.flatMap((record): Route[] => {
    const pattern = parsePattern(record.key)
    if (typeof pattern === 'string') return [] // nothing is kept that could not be read
    // checked before it was kept
    return [{ record, pattern, settings: record.settings as RouteSettings }]
  })
  return {
    scope,
    apiId: apiIdOf(scope),
    routes: routes.toSorted((left, right) => bySpecificity(left.pattern, right.pattern)),
  }
}

function byScope({ scope: left }: Table, { scope: right }: Table): number {
  const rank = (scope: Scope): number =>
    (scope.account === DEFAULT_ACCOUNT ? 0 : 2) + (scope.region === DEFAULT_REGION ? 0 : 1)
  const order = rank(left) - rank(right)
  return order === 0
    ? `${left.account}/${left.region}`.localeCompare(`${right.account}/${right.region}`)
    : order
}

/** A path's parameters without their escapes. */
export const decodedParameters = (
  parameters: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined =>
  parameters && Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, decoded(value)]))
