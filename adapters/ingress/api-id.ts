import { createHash } from 'node:crypto'
import type { Scope } from '../../runtime/store/journal.ts'

/**
 * The id under which one account's and region's routes are an API: ten characters of [a-z0-9], always the
 * same ones.
 */
export function apiIdOf({ account, region }: Scope): string {
  const digest = createHash('sha256').update(`routes ${account} ${region}`).digest()
  return BigInt(`0x${digest.toString('hex')}`)
    .toString(36)
    .slice(0, 10)
}
