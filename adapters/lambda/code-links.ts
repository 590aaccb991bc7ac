import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { CodePackage } from '../../runtime/registry/types.ts'
import type { Rng } from '../../runtime/rng.ts'

/** Where downloads lie on the api port. */
export const DOWNLOADS = '/code-packages/'
const LINK_MS = 600_000

/** Links that download a code package's zip, byte for byte, for ten minutes. They die with the engine. */
export class CodeLinks {
  readonly #clock: Clock
  readonly #secret: Buffer
  readonly #baseUrl: () => string

  constructor(parts: { clock: Clock; rng: Rng; baseUrl: () => string }) {
    this.#clock = parts.clock
    this.#secret = parts.rng.bytes(32)
    this.#baseUrl = parts.baseUrl
  }

  /** A URL that nobody can guess. */
  urlOf(codePackage: CodePackage): string {
    const claim = `${Math.floor(this.#clock.monotonicMs() + LINK_MS)}-${codePackage.id}`
    return `${this.#baseUrl()}${DOWNLOADS}${claim}-${this.#sign(claim)}`
  }

  /**
   * The package's id, from the last segment of a URL that is ours and still lives. Throws EngineError
   * 'forbidden'.
   */
  open(token: string): string {
    const end = Math.max(token.lastIndexOf('-'), 0)
    const claim = token.slice(0, end)
    const given = Buffer.from(token.slice(end + 1))
    const expected = Buffer.from(this.#sign(claim))
    const genuine = given.length === expected.length && timingSafeEqual(given, expected)
    const [expiresAtMs = '0', id = ''] = claim.split('-')
    if (!genuine || Number(expiresAtMs) < this.#clock.monotonicMs())
      throw new EngineError('forbidden', 'Request has expired')
    return id
  }

  #sign(claim: string): string {
    return createHmac('sha256', this.#secret).update(claim).digest('hex')
  }
}
