/**
 * Whether a node's labels meet what is asked of them: `nvme` (that value), `!nvme` (another or none),
 * `in(a,b)` (one of these), `!in(a,b)` (none of these).
 */
export function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean {
  if (wanted === undefined) return true
  for (const name in wanted) if (!meets(labels[name], wanted[name] ?? '')) return false
  return true
}

function meets(value: string | undefined, selector: string): boolean {
  if (selector.startsWith('!')) return !meets(value, selector.slice(1))
  if (!selector.startsWith('in(') || !selector.endsWith(')')) return value === selector
  const values = selector.slice(3, -1).split(',')
  return value !== undefined && values.some((one) => one.trim() === value)
}
