import { ObjectRef } from '../../runtime/sdk/object-ref.ts'

/** A value that has no JSON form, with the place of what is at fault. */
export class NotJson extends Error {
  override readonly name = 'NotJson'
  /** `[0].items.total`; '' for the value itself. */
  readonly path: string

  constructor(what: string, path: string) {
    super(`The value${path === '' ? '' : ` at ${path}`} is ${what}, which has no JSON form.`)
    this.path = path
  }
}

/**
 * The JSON of a value: undefined is null, members that are undefined are left out, dates are texts. Throws
 * `NotJson` for whatever else JSON would lose or change.
 */
export function jsonOf(value: unknown): string {
  check(value, '', new Set())
  return JSON.stringify(value) ?? 'null'
}

function check(value: unknown, path: string, above: Set<object>): void {
  switch (typeof value) {
    case 'number':
      if (!Number.isFinite(value)) throw new NotJson(String(value), path)
      return
    case 'bigint':
      throw new NotJson('a BigInt', path)
    case 'object':
      return value === null ? undefined : checkObject(value, path, above)
    case 'function':
    case 'symbol':
      throw new NotJson(`a ${typeof value}`, path)
    case 'string':
    case 'boolean':
    case 'undefined':
      return
  }
}

function checkObject(value: object, path: string, above: Set<object>): void {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new NotJson('an invalid date', path)
    return
  }
  if (above.has(value)) throw new NotJson('part of itself', path)
  if (value instanceof ObjectRef) throw new NotJson('a ref', path)
  above.add(value)
  if (Array.isArray(value))
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`, above)
  else {
    const { prototype } = Object
    const own: unknown = Object.getPrototypeOf(value)
    if (own !== prototype && own !== null) throw new NotJson(`a ${value.constructor.name}`, path)
    for (const [name, item] of Object.entries(value))
      check(item, path === '' ? name : `${path}.${name}`, above)
  }
  above.delete(value)
}
