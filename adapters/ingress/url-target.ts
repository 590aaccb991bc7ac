import type { CorsSettings, UrlRecord } from '../../runtime/registry/function-record.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'

/** What a function URL leads to. */
export interface UrlTarget {
  readonly scope: Scope
  readonly functionName: string
  /** An alias; undefined: `$LATEST`. */
  readonly qualifier: string | undefined
  readonly auth: UrlRecord['auth']
  readonly invokeMode: UrlRecord['invokeMode']
  readonly cors: CorsSettings | null
}

/** Finds a function URL by its id, from memory. */
export type UrlLookup = (urlId: string) => UrlTarget | undefined

/** The lookup over what the registry holds. */
export const urlLookup =
  (registry: Pick<Registry, 'byUrl'>): UrlLookup =>
  (urlId) => {
    const found = registry.byUrl(urlId)
    if (found === undefined) return undefined
    const { scope, functionName } = found.record
    const { qualifier, auth, invokeMode, cors } = found.url
    return {
      scope,
      functionName,
      qualifier: qualifier === '' ? undefined : qualifier,
      auth,
      invokeMode,
      cors,
    }
  }

/**
 * Base of host-form URLs for a listener: names go below `localhost` where it is known by its address only.
 */
export function urlBase(ingressUrl: string): URL {
  const base = new URL(ingressUrl)
  if (/^([\d.]+|\[.*\])$/.test(base.hostname)) base.hostname = 'localhost'
  return base
}

/** A request that names a function URL, by either form. */
export interface UrlAddress {
  readonly urlId: string
  /** Undefined in the path form, which does not say it. */
  readonly region: string | undefined
  readonly rawPath: string
  /** As sent, without the question mark. */
  readonly rawQueryString: string
}

const HOST_FORM = /^([a-z0-9-]+)\.lambda-url\.([a-z0-9-]+)\./i
const PATH_FORM = '/lambda-url/'

/**
 * Reads `<id>.lambda-url.<region>.…` from the host, else `/lambda-url/<id>/…` from the path; undefined:
 * neither.
 */
export function readUrlAddress(host: string, target: string): UrlAddress | undefined {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const rawQueryString = mark < 0 ? '' : target.slice(mark + 1)
  const byHost = HOST_FORM.exec(host)
  if (byHost !== null) {
    const [, urlId = '', region = ''] = byHost
    return { urlId: urlId.toLowerCase(), region: region.toLowerCase(), rawPath: path, rawQueryString }
  }
  if (!path.startsWith(PATH_FORM)) return undefined
  const end = path.indexOf('/', PATH_FORM.length)
  const urlId = end < 0 ? path.slice(PATH_FORM.length) : path.slice(PATH_FORM.length, end)
  return { urlId, region: undefined, rawPath: end < 0 ? '/' : path.slice(end), rawQueryString }
}
