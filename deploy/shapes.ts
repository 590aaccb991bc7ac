/** Looking into answers of the engine, which are `unknown` until looked at. */

/** Whether `value` is an object with members. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The objects in member `name` of `value`; empty when there is none. */
export function listIn(value: unknown, name: string): unknown[] {
  const list = isRecord(value) ? value[name] : value
  return Array.isArray(list) ? list : []
}

/** As `listIn`, for objects only. */
export const recordsIn = (value: unknown, name: string): Record<string, unknown>[] =>
  listIn(value, name).filter(isRecord)

/** A value as a table shows it; nothing for what is absent. */
export function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
