import type { JWTPayload } from 'jose'
import type { Clock } from '../../../runtime/clock.ts'
import type { AuthorizerSettings } from '../route-settings.ts'
import { KeySetError, type KeySets } from './key-sets.ts'

/** What a token says of its bearer, as events show it. */
export interface TokenBearer {
  readonly claims: Readonly<Record<string, string>>
  /** Null when the route asks for none. */
  readonly scopes: readonly string[] | null
}

/** A token's check: who bears it, or what `www-authenticate` says. */
export type TokenCheck =
  | { kind: 'valid'; bearer: TokenBearer }
  | { kind: 'invalid'; challenge: string }
  | { kind: 'insufficient'; challenge: string }

type JwtSettings = Extract<AuthorizerSettings, { type: 'jwt' }>

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

/**
 * Checks a token as API Gateway does: signature by the issuer's keys, issuer, audience (`aud`, else
 * `client_id`), times, and one of the route's scopes. `identity` is what the identity source holds.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 */
export async function checkToken(
  settings: JwtSettings,
  identity: string | undefined,
  keySets: KeySets,
  clock: Clock,
): Promise<TokenCheck> {
  const scopes = settings.scopes ?? []
  const scope = scopes.length === 0 ? '' : ` scope="${scopes.join(' ')}"`
  if (identity === undefined) return { kind: 'invalid', challenge: `Bearer${scope}` }
  const problem = (text: string): TokenCheck => ({
    kind: 'invalid',
    challenge: `Bearer${scope} error="invalid_token" error_description="${text}"`,
  })
  let claims: JWTPayload
  try {
    claims = await verified(settings, identity.replace(/^bearer\s+/i, ''), keySets, clock)
  } catch (error) {
    return problem(await describe(error))
  }
  if (!settings.audience.some((one) => audiencesOf(claims).includes(one)))
    return problem('the token does not have a valid audience')
  if (claims.iat !== undefined && claims.iat * 1000 > clock.nowMs())
    return problem('the token was issued in the future')
  const held = scopesOf(claims)
  if (scopes.length > 0 && !scopes.some((one) => held.includes(one))) {
    const challenge = `Bearer${scope} error="insufficient_scope" error_description="the token has none of the scopes"`
    return { kind: 'insufficient', challenge }
  }
  return { kind: 'valid', bearer: { claims: shown(claims), scopes: scopes.length === 0 ? null : held } }
}

async function verified(
  settings: JwtSettings,
  token: string,
  keySets: KeySets,
  clock: Clock,
): Promise<JWTPayload> {
  const { createLocalJWKSet, errors, jwtVerify } = await import('jose')
  const verify = async (fresh: boolean): Promise<JWTPayload> => {
    const keys = createLocalJWKSet(await keySets.of(settings.issuer, settings.jwksUri, fresh))
    const { payload } = await jwtVerify(token, keys, {
      issuer: settings.issuer,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp'],
      currentDate: new Date(clock.nowMs()),
    })
    return payload
  }
  try {
    return await verify(false)
  } catch (error) {
    // The issuer may have new keys.
    if (error instanceof errors.JWKSNoMatchingKey) return await verify(true)
    throw error
  }
}

async function describe(error: unknown): Promise<string> {
  const { errors } = await import('jose')
  if (error instanceof KeySetError) return error.message
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `the token has no valid claim ${error.claim}`
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature is not valid'
  if (error instanceof errors.JWKSNoMatchingKey) return 'the issuer has no key that signed the token'
  return 'the token is not valid'
}

function audiencesOf({ aud, client_id: client }: JWTPayload): readonly string[] {
  if (aud !== undefined) return Array.isArray(aud) ? aud : [aud]
  return typeof client === 'string' ? [client] : []
}

function scopesOf(claims: JWTPayload): string[] {
  const { scope, scp } = claims
  const given = scope ?? scp
  if (typeof given === 'string') return given.split(' ').filter((one) => one !== '')
  return Array.isArray(given) ? given.map(String) : []
}

/** Every claim is a text, a list one in brackets. */
function shown(claims: JWTPayload): Record<string, string> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, textOf(value)]))
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(' ')}]`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
