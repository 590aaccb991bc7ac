import type { Rng } from '../rng.ts'
import type { Scope } from '../store/journal.ts'
import type { FunctionRecord, UrlRecord } from './function-record.ts'
import { routeOf, type Route } from './resolver.ts'
import type { Target } from './types.ts'

interface Entry {
  record: FunctionRecord
  /**
   * Resolved qualifiers, '' for none; emptied by every change. Bounded by the function's versions and
   * aliases.
   */
  readonly routes: Map<string, Route>
}

/**
 * All functions in memory, by account, region and name: what a lookup costs does not grow with their number.
 */
export class FunctionIndex {
  readonly #accounts = new Map<string, Map<string, Map<string, Entry>>>()
  readonly #urls = new Map<string, { scope: Scope; functionName: string; qualifier: string }>()

  get(scope: Scope, functionName: string): FunctionRecord | undefined {
    return this.#entry(scope, functionName)?.record
  }

  /** The target of one request, or undefined when there is no such function. Throws as `routeOf`. */
  resolve(scope: Scope, functionName: string, qualifier: string | undefined, rng: Rng): Target | undefined {
    const entry = this.#entry(scope, functionName)
    if (entry === undefined) return undefined
    const key = qualifier ?? ''
    let route = entry.routes.get(key)
    if (route === undefined) {
      route = routeOf(entry.record, qualifier)
      entry.routes.set(key, route)
    }
    return route.other !== undefined && rng.fraction() < route.share ? route.other : route.main
  }

  put(record: FunctionRecord): void {
    const { account, region } = record.scope
    const regions = this.#accounts.get(account) ?? new Map<string, Map<string, Entry>>()
    const functions = regions.get(region) ?? new Map<string, Entry>()
    this.#accounts.set(account, regions)
    regions.set(region, functions)
    const entry = functions.get(record.functionName)
    if (entry === undefined) functions.set(record.functionName, { record, routes: new Map() })
    else {
      this.#forgetUrls(entry.record)
      entry.record = record
      entry.routes.clear()
    }
    const { scope, functionName } = record
    for (const url of record.urls.values())
      this.#urls.set(url.urlId, { scope, functionName, qualifier: url.qualifier })
  }

  remove(record: FunctionRecord): void {
    const regions = this.#accounts.get(record.scope.account)
    const functions = regions?.get(record.scope.region)
    functions?.delete(record.functionName)
    this.#forgetUrls(record)
    if (functions?.size === 0) regions?.delete(record.scope.region)
    if (regions?.size === 0) this.#accounts.delete(record.scope.account)
  }

  /** Functions of one account and region, by name. */
  list(scope: Scope): FunctionRecord[] {
    const functions = this.#accounts.get(scope.account)?.get(scope.region)?.values() ?? []
    return Array.from(functions, (entry) => entry.record).sort((left, right) =>
      left.functionName < right.functionName ? -1 : 1,
    )
  }

  /** Every function of every account and region. */
  *all(): Generator<FunctionRecord> {
    for (const regions of this.#accounts.values())
      for (const functions of regions.values()) for (const entry of functions.values()) yield entry.record
  }

  /** The function behind a URL's id. */
  byUrl(urlId: string): { record: FunctionRecord; url: UrlRecord } | undefined {
    const place = this.#urls.get(urlId)
    const record = place === undefined ? undefined : this.get(place.scope, place.functionName)
    const url = record?.urls.get(place?.qualifier ?? '')
    return record === undefined || url === undefined ? undefined : { record, url }
  }

  #entry(scope: Scope, functionName: string): Entry | undefined {
    return this.#accounts.get(scope.account)?.get(scope.region)?.get(functionName)
  }

  #forgetUrls(record: FunctionRecord): void {
    for (const url of record.urls.values()) this.#urls.delete(url.urlId)
  }
}
