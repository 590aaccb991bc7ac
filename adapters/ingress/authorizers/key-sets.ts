import type { JSONWebKeySet } from 'jose'
import type { Clock } from '../../../runtime/clock.ts'

/** Keys of an issuer could not be had; the message is what API Gateway says of it. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
}

interface Kept<Value> {
  readonly value: Promise<Value>
  readonly sinceMs: number
}

/** As long as API Gateway keeps them. */
const KEPT_MS = 2 * 3_600_000
/** A key that is not known is asked for again, but not for every token that names one. */
const AGAIN_AFTER_MS = 30_000
const FETCH_MS = 5_000
const MAX_BYTES = 1_000_000
const MAX_ISSUERS = 100

/** The public keys of token issuers, fetched when first needed and kept. Bounded: the oldest leave. */
export class KeySets {
  readonly #clock: Clock
  readonly #addresses = new Map<string, Kept<string>>()
  readonly #sets = new Map<string, Kept<JSONWebKeySet>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The keys of `issuer`, at `jwksUri` or where its OpenID configuration says. `fresh`: a key was not among
   * those that are kept. Rejects with a KeySetError.
   */
  async of(issuer: string, jwksUri: string | undefined, fresh: boolean): Promise<JSONWebKeySet> {
    const address =
      jwksUri ?? (await this.#kept(this.#addresses, issuer, false, () => this.#discover(issuer)))
    return await this.#kept(this.#sets, address, fresh, () => this.#fetchKeys(address))
  }

  #kept<Value>(
    kept: Map<string, Kept<Value>>,
    key: string,
    fresh: boolean,
    fetch: () => Promise<Value>,
  ): Promise<Value> {
    const nowMs = this.#clock.monotonicMs()
    const found = kept.get(key)
    if (found !== undefined && nowMs - found.sinceMs < (fresh ? AGAIN_AFTER_MS : KEPT_MS)) return found.value
    const value = fetch()
    kept.delete(key)
    kept.set(key, { value, sinceMs: nowMs })
    if (kept.size > MAX_ISSUERS) kept.delete(kept.keys().next().value ?? '')
    // a failure is not kept: the next request tries again
    value.catch(() => kept.get(key)?.value === value && kept.delete(key))
    return value
  }

  async #discover(issuer: string): Promise<string> {
    const configuration = await this.#json(
      `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
      'OIDC discovery endpoint communication error',
    )
    const address = configuration.jwks_uri
    if (typeof address === 'string') return address
    throw new KeySetError('OIDC discovery endpoint communication error')
  }

  async #fetchKeys(address: string): Promise<JSONWebKeySet> {
    const set = await this.#json(address, 'JWKS communication error')
    if (!Array.isArray(set.keys)) throw new KeySetError('JWKS communication error')
    return { keys: set.keys as JSONWebKeySet['keys'] } // jose checks each key before it uses it
  }

  async #json(address: string, failure: string): Promise<Record<string, unknown>> {
    const giveUp = new AbortController()
    const timer = this.#clock.after(FETCH_MS, () => giveUp.abort())
    try {
      const response = await fetch(address, {
        signal: giveUp.signal,
        headers: { accept: 'application/json' },
      })
      if (!response.ok) throw new Error(`${address} answered ${response.status}`)
      const parsed: unknown = JSON.parse(await textOf(response))
      if (typeof parsed !== 'object' || parsed === null) throw new Error(`${address} answered no object`)
      return parsed as Record<string, unknown> // an object of JSON has string keys
    } catch (cause) {
      throw new KeySetError(failure, { cause })
    } finally {
      timer.cancel()
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  // fetch's bodies are iterable and hold bytes
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BYTES) throw new Error(`The answer is larger than ${MAX_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
