/**
 * Amounts of `cpu`, `gpu`, `memoryMb` or a custom name, in milli-units: `{ gpu: 250 }` is a quarter of a GPU,
 * `{ memoryMb: 128_000 }` is 128 MB. Integers, because 0.1 + 0.2 would strand capacity.
 */
export type Resources = Readonly<Record<string, number>>

/** One whole unit in milli-units. */
export const MILLI = 1000

/** Milli-units of a plain amount, rounded up so that a lease never covers less than was asked for. */
export const milli = (amount: number): number => Math.ceil(Math.round(amount * MILLI * 1e6) / 1e6)

/**
 * Whether `request` fits in `available`; a resource absent from `available` counts as zero. Nothing fits
 * anywhere, even where more is held than there is.
 */
export function fits(request: Resources, available: Resources): boolean {
  for (const name in request) {
    const amount = request[name] ?? 0
    if (amount > 0 && amount > (available[name] ?? 0)) return false
  }
  return true
}

/** `left + right`, name by name. */
export function add(left: Resources, right: Resources): Resources {
  const sum: Record<string, number> = { ...left }
  for (const name in right) sum[name] = (sum[name] ?? 0) + (right[name] ?? 0)
  return sum
}

/** `left - right`, name by name; may go below zero, which callers assert against. */
export function subtract(left: Resources, right: Resources): Resources {
  const rest: Record<string, number> = { ...left }
  for (const name in right) rest[name] = (rest[name] ?? 0) - (right[name] ?? 0)
  return rest
}
