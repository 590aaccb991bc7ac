/** Milliseconds, or a number with a unit, or no limit at all. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}` | 'none'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/**
 * A duration in milliseconds, a fraction rounded up; null for `'none'`. Throws a TypeError that names the
 * accepted forms for anything else.
 */
export function parseDuration(value: unknown): number | null {
  if (value === 'none') return null
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return Math.ceil(value)
  const match = typeof value === 'string' ? FORM.exec(value) : null
  if (match === null)
    throw new TypeError(
      `${JSON.stringify(value) ?? String(value)} is not a duration: give milliseconds (1500), '250ms', '30s', '5m', '2h', '7d' or 'none'.`,
    )
  const [, amount, unit] = match
  // One of them: the expression says so.
  return Math.ceil(Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS])
}
