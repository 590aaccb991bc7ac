import { randomBytes, randomFillSync } from 'node:crypto'

/** The only source of randomness, so that a simulated engine replays from a seed. */
export interface Rng {
  /** A number in [0, 1). */
  fraction(): number
  /** `size` unpredictable bytes. */
  bytes(size: number): Buffer
  /**
   * A UUID of version-4 shape whose first 48 bits are `nowMs`: ids sort by time, so the index that holds them
   * grows at its end.
   */
  uuid(nowMs: number): string
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lays ten random bytes and a millisecond time out as a UUID. */
export function uuidFrom(nowMs: number, random: Uint8Array, offset: number): string {
  const time = nowMs.toString(16).padStart(12, '0')
  const byte = (index: number): string => HEX[random[offset + index] ?? 0] ?? '00'
  const versioned = HEX[((random[offset] ?? 0) & 0x0f) | 0x40] ?? '40'
  const variant = HEX[((random[offset + 2] ?? 0) & 0x3f) | 0x80] ?? '80'
  const head = `${time.slice(0, 8)}-${time.slice(8)}-${versioned}${byte(1)}-${variant}${byte(3)}`
  return `${head}-${byte(4)}${byte(5)}${byte(6)}${byte(7)}${byte(8)}${byte(9)}`
}

const POOL_BYTES = 4000

/** The machine's own randomness; ids draw from a pool that is refilled 400 ids at a time. */
export function systemRng(): Rng {
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  return {
    fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    bytes: (size) => randomBytes(size),
    uuid(nowMs) {
      if (used + 10 > POOL_BYTES) {
        randomFillSync(pool)
        used = 0
      }
      const id = uuidFrom(nowMs, pool, used)
      used += 10
      return id
    },
  }
}
