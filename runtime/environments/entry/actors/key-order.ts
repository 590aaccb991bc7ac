import type { StorageRange } from '../../../sdk/actor-types.ts'

const HIGHEST_BEFORE_SURROGATES = 0xd7ff

/** The order of keys: that of their code points, which is also the order of their bytes in UTF-8. */
export function compareKeys(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length)
  for (let index = 0; index < shorter; index++) {
    const [one, other] = [left.charCodeAt(index), right.charCodeAt(index)]
    if (one !== other) return weight(one) - weight(other)
  }
  return left.length - right.length
}

/** Whether a key lies in a range, its limit aside. */
export const inRange = (key: string, { prefix, start, end }: StorageRange): boolean =>
  (prefix === undefined || key.startsWith(prefix)) &&
  (start === undefined || compareKeys(key, start) >= 0) &&
  (end === undefined || compareKeys(key, end) < 0)

/** Halves of code points past 0xFFFF come behind everything else. */
const weight = (unit: number): number =>
  unit <= HIGHEST_BEFORE_SURROGATES ? unit : unit <= 0xdfff ? unit + 0x10000 : unit
