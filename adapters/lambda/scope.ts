import type { Scope } from '../../runtime/store/journal.ts'

/** The account of callers whose key id is not an account's number. */
export const DEFAULT_ACCOUNT = '000000000000'
/** The region of callers without credentials. */
export const DEFAULT_REGION = 'us-east-1'

const MAX_SCOPES = 1000
const scopes = new Map<string, Scope>()

/**
 * Whose records a request means: account and region of the credential scope in `Authorization`, or in the
 * `X-Amz-Credential` of a presigned URL. A key id of 12 digits is the account. Signatures are not looked at
 * here.
 */
export function scopeOf(headers: { readonly authorization?: string | undefined }, query = ''): Scope {
  const { authorization } = headers
  const signed = authorization?.indexOf('Credential=') ?? -1
  if (authorization !== undefined && signed >= 0) return scopeIn(authorization, signed + 11)
  const presigned = query.indexOf('X-Amz-Credential=')
  if (presigned >= 0) {
    const end = query.indexOf('&', presigned)
    const text = query.slice(presigned + 17, end < 0 ? undefined : end)
    return scopeIn(text.replaceAll(/%2f/gi, '/'), 0)
  }
  return interned(DEFAULT_ACCOUNT, DEFAULT_REGION)
}

/** `<key id>/<date>/<region>/<service>/aws4_request` from `start`. */
function scopeIn(text: string, start: number): Scope {
  const keyEnd = text.indexOf('/', start)
  const dateEnd = text.indexOf('/', keyEnd + 1)
  const regionEnd = text.indexOf('/', dateEnd + 1)
  if (keyEnd < 0 || dateEnd < 0 || regionEnd < 0) return interned(DEFAULT_ACCOUNT, DEFAULT_REGION)
  const keyId = text.slice(start, keyEnd)
  const region = text.slice(dateEnd + 1, regionEnd)
  return scopeFrom(/^\d{12}$/.test(keyId) ? keyId : DEFAULT_ACCOUNT, region)
}

/** Account and region of a caller who is known. A region that is none is the default one. */
export const scopeFrom = (account: string, region: string): Scope =>
  interned(account, REGION.test(region) ? region : DEFAULT_REGION)

const REGION = /^[a-z0-9-]{1,32}$/

/** One object for each account and region, so that a request allocates none. */
function interned(account: string, region: string): Scope {
  const key = `${account}/${region}`
  const known = scopes.get(key)
  if (known !== undefined) return known
  if (scopes.size >= MAX_SCOPES) scopes.clear()
  const scope: Scope = Object.freeze({ account, region })
  scopes.set(key, scope)
  return scope
}
