import { CommandError, EXIT } from './exit-codes.ts'

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The Unix time in milliseconds that `10m`, `90s`, `2h` or `1d` ago was, or that an ISO date names. */
export function sinceMs(given: string): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(given) ?? []
  if (amount !== undefined && unit !== undefined) return Date.now() - Number(amount) * (UNIT_MS[unit] ?? 0)
  const date = Date.parse(given)
  if (!Number.isNaN(date)) return date
  throw new CommandError(EXIT.usage, `"${given}" is neither an age such as 90s, 10m, 2h or 1d nor a date.`)
}
