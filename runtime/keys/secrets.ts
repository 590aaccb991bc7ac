import type { Rng } from '../rng.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Twenty letters and digits; the first four tell the kind, so that a finder of one knows what it is. */
export function makeKeyId(rng: Rng, kind: 'key' | 'session'): string {
  const letters = Array.from(rng.bytes(16), (byte) => BASE32[byte % 32])
  return `${kind === 'key' ? 'LKIA' : 'LSIA'}${letters.join('')}`
}

/** Forty characters, 240 bits: what signatures are made with. */
export const makeSecret = (rng: Rng): string => rng.bytes(30).toString('base64url')

/** A bearer token of 256 bits, with a prefix that scanners for leaked secrets can look for. */
export const makeToken = (rng: Rng): string => `lmb_${rng.bytes(32).toString('base64url')}`
