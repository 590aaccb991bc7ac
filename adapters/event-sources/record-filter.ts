import { matchesFilter, parseFilterPattern, type TextMember } from './filter-pattern.ts'

/** A record as patterns see it. */
export interface Filterable {
  readonly event: Readonly<Record<string, unknown>>
  /** Data of the record's own, which patterns may look into. */
  readonly member?: TextMember
}

/** Whether a record is wanted: always without patterns, otherwise when one of them matches. */
export function createRecordFilter(patterns: readonly string[] | null): (record: Filterable) => boolean {
  if (patterns === null) return () => true
  const compiled = patterns.map(parseFilterPattern)
  return ({ event, member }) => compiled.some((pattern) => matchesFilter(pattern, event, member))
}
