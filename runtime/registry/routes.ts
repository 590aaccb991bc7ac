import { EngineError } from '../errors.ts'
import type { Scope } from '../store/journal.ts'
import { readRouteRows, type RouteRow } from '../store/routes.ts'
import type { Change, Store } from '../store/store.ts'
import { Serial } from './serial.ts'

/** One route as it is to be kept: which requests lead to which function. */
export interface NewRoute {
  /** As its author wrote it. */
  readonly key: string
  /** What is the same for two routes that match the same requests: at most one of them can be kept. */
  readonly shape: string
  readonly functionName: string
  /** A version or alias; undefined: `$LATEST`. */
  readonly qualifier: string | undefined
  /** What an adapter stores and gets back unread: the engine has no use for it. */
  readonly settings: Readonly<Record<string, unknown>>
}

/** A kept route. */
export interface RouteRecord extends NewRoute {
  readonly scope: Scope
  /** Who declared it, such as a project; a source's routes are replaced together. */
  readonly source: string
}

/** Routes of one account and region, all sources together. */
export const MAX_ROUTES = 2000

/** The HTTP routes of every account and region, in memory and on disk. */
export class Routes {
  readonly #store: Pick<Store, 'commit'>
  readonly #serial = new Serial()
  /** By account and region, then by shape. A scope's map is replaced whole, never changed. */
  readonly #byScope = new Map<string, ReadonlyMap<string, RouteRecord>>()
  #revision = 0

  /** Reads what the store holds. */
  constructor(store: Pick<Store, 'commit' | 'reader'>) {
    this.#store = store
    for (const row of readRouteRows(store.reader)) {
      const record = recordOf(row)
      this.#byScope.set(
        keyOf(record.scope),
        new Map(this.#byScope.get(keyOf(record.scope))).set(row.shape, record),
      )
    }
  }

  /** Another number after every change: what was derived from the routes is stale then. */
  get revision(): number {
    return this.#revision
  }

  /** The routes of one account and region. */
  list(scope: Scope): RouteRecord[] {
    return [...(this.#byScope.get(keyOf(scope))?.values() ?? [])]
  }

  /** The accounts and regions that have routes. */
  scopes(): Scope[] {
    return [...this.#byScope.values()].flatMap((routes) => {
      const [first] = routes.values()
      return first === undefined ? [] : [first.scope]
    })
  }

  /**
   * Makes `routes` all that `source` declares. A route that another source had declared moves to this one.
   *
   * Rejects with EngineError 'invalid' (two of them match the same requests, or there would be more than
   * MAX_ROUTES) and what the store rejects with.
   */
  replace(scope: Scope, source: string, routes: readonly NewRoute[]): Promise<RouteRecord[]> {
    const key = keyOf(scope)
    return this.#serial.run(key, async () => {
      const after = new Map(
        [...(this.#byScope.get(key) ?? [])].filter(([, record]) => record.source !== source),
      )
      const own = new Map<string, RouteRecord>()
      for (const route of routes) {
        const other = own.get(route.shape)
        if (other !== undefined)
          throw new EngineError(
            'invalid',
            `The routes "${other.key}" and "${route.key}" match the same requests.`,
          )
        own.set(route.shape, { ...route, scope, source })
      }
      for (const [shape, record] of own) after.set(shape, record)
      if (after.size > MAX_ROUTES)
        throw new EngineError('invalid', `There would be ${after.size} routes; the limit is ${MAX_ROUTES}.`)
      await this.#store.commit([
        ['deleteRoutesOf', scope.account, scope.region, source],
        ...Array.from(own.values(), putRoute),
      ])
      if (after.size === 0) this.#byScope.delete(key)
      else this.#byScope.set(key, after)
      this.#revision += 1
      return [...own.values()]
    })
  }
}

const keyOf = (scope: Scope): string => `${scope.account}/${scope.region}`

const putRoute = (route: RouteRecord): Change => [
  'putRoute',
  route.scope.account,
  route.scope.region,
  route.shape,
  route.source,
  route.key,
  route.functionName,
  route.qualifier ?? '',
  JSON.stringify(route.settings),
]

const recordOf = (row: RouteRow): RouteRecord => ({
  scope: { account: row.account, region: row.region },
  source: row.source,
  key: row.route_key,
  shape: row.shape,
  functionName: row.function_name,
  qualifier: row.qualifier === '' ? undefined : row.qualifier,
  // written by putRoute
  settings: JSON.parse(row.settings_json) as Record<string, unknown>,
})
