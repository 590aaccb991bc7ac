import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import type { KeyRing, Principal } from '../../runtime/keys/key-ring.ts'
import { expiredToken, mismatch, unrecognized } from './auth-error.ts'
import { soleHeader, type SignedRequest } from './canonical.ts'
import {
  checkSignature,
  deriveSigningKey,
  readSignature,
  UNSIGNED,
  verifySignature,
  type Signature,
} from './sigv4.ts'

/** A request whose sender is known, as far as that can be said without its body. */
export interface Claim {
  readonly principal: Principal
  /** Region of the signature; undefined: the sender did not say one. */
  readonly region: string | undefined
  /** Throws AuthError unless this is the body that was signed; undefined: every body is as good. */
  readonly checkBody: ((body: Buffer) => void) | undefined
}

/** Where a request came in. */
export interface Transport {
  /** Nobody between the sender and this machine could have changed the body: TLS, or loopback. */
  readonly isPrivate: boolean
}

/** Signing keys of a day, region and service that are kept. */
const MAX_SIGNING_KEYS = 1000
const BEARER = /^Bearer +([\w.~+/-]{1,256}=*)$/i

/** Finds out who sends a request: by its signature of AWS's version 4, or by its bearer token. */
export class Authenticator {
  readonly #keys: KeyRing
  readonly #clock: Clock
  readonly #signingKeys = new Map<string, { secret: string; key: Buffer }>()

  constructor(parts: { keys: KeyRing; clock: Clock }) {
    this.#keys = parts.keys
    this.#clock = parts.clock
  }

  /**
   * Who sends this; undefined when it does not say. `services` are those that a signature may name. Throws
   * AuthError for whatever is not in order.
   */
  identify(request: SignedRequest, services: readonly string[], transport: Transport): Claim | undefined {
    const token = bearerToken(request)
    if (token !== undefined) return this.#byToken(token)
    const signature = readSignature(request)
    return signature === undefined ? undefined : this.#bySignature(signature, request, services, transport)
  }

  /** Whether a request names one of our keys, rightly or not. Never throws. */
  isOurs(request: SignedRequest): boolean {
    try {
      const token = bearerToken(request)
      if (token !== undefined) return this.#keys.bearer(token) !== undefined
      return this.#keys.credential(keyIdIn(request)) !== undefined
    } catch {
      return false
    }
  }

  #byToken(token: string): Claim {
    const found = this.#keys.bearer(token)
    if (found === undefined) throw unrecognized()
    if (found.isExpired) throw expiredToken()
    this.#keys.noteUse(found.principal)
    return { principal: found.principal, region: undefined, checkBody: undefined }
  }

  #bySignature(
    signature: Signature,
    request: SignedRequest,
    services: readonly string[],
    transport: Transport,
  ): Claim {
    const credential = this.#keys.credential(signature.keyId)
    if (credential === undefined) throw unrecognized()
    const { principal, secret } = credential
    if (!sameToken(signature.sessionToken, credential.sessionToken)) throw unrecognized()
    checkSignature(signature, request, { services, nowMs: this.#clock.nowMs() })
    const signingKey = this.#signingKey(signature, secret)
    const { region, payloadHash } = signature
    const claim = (checkBody: Claim['checkBody']): Claim => ({ principal, region, checkBody })
    const verified = (): void => {
      if (credential.isExpired) throw expiredToken()
      this.#keys.noteUse(principal)
    }
    if (payloadHash === undefined)
      return claim((body) => {
        verifySignature(signature, request, signingKey, sha256(body))
        verified()
      })
    verifySignature(signature, request, signingKey, payloadHash)
    verified()
    if (payloadHash === UNSIGNED) {
      if (!transport.isPrivate) throw mismatch()
      return claim(undefined)
    }
    return claim((body) => {
      if (sha256(body) !== payloadHash) throw mismatch()
    })
  }

  /** Four hashes saved: the same day, region and service come again and again. */
  #signingKey(signature: Signature, secret: string): Buffer {
    const id = `${signature.keyId}/${signature.date}/${signature.region}/${signature.service}`
    const known = this.#signingKeys.get(id)
    if (known?.secret === secret) return known.key
    if (this.#signingKeys.size >= MAX_SIGNING_KEYS) this.#signingKeys.clear()
    const key = deriveSigningKey(secret, signature)
    this.#signingKeys.set(id, { secret, key })
    return key
  }
}

function bearerToken({ rawHeaders }: SignedRequest): string | undefined {
  return BEARER.exec(soleHeader(rawHeaders, 'authorization') ?? '')?.[1]
}

function keyIdIn({ rawHeaders, url }: SignedRequest): string {
  const authorization = soleHeader(rawHeaders, 'authorization')
  const text = authorization ?? (url.includes('X-Amz-Credential=') ? decodeURIComponent(url) : '')
  return /Credential=([^/,& ]+)\//.exec(text)?.[1] ?? ''
}

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex')

function sameToken(given: string | undefined, expected: string | undefined): boolean {
  if (given === undefined || expected === undefined) return given === expected
  const [left, right] = [Buffer.from(given), Buffer.from(expected)]
  return left.length === right.length && timingSafeEqual(left, right)
}
