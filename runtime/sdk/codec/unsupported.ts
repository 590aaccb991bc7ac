import { types } from 'node:util'
import { UnsupportedValue } from '../errors.ts'

/** What lies deeper is not looked for. */
const MAX_DEPTH = 1000

/** Why `value` itself, whatever it holds, cannot be sent; undefined when it can. */
export function whyUnsupported(value: unknown): string | undefined {
  if (typeof value === 'function') return `the function ${value.name === '' ? 'there' : `"${value.name}"`}`
  if (typeof value === 'symbol') return `the symbol ${String(value)}`
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isPromise(value)) return 'a promise (await it first)'
  if (types.isWeakMap(value) || types.isWeakSet(value)) return 'a weak collection'
  if (value instanceof WeakRef) return 'a weak reference'
  if (types.isSharedArrayBuffer(value)) return 'shared memory'
  if (ArrayBuffer.isView(value) && types.isSharedArrayBuffer(value.buffer)) return 'shared memory'
  if (types.isGeneratorObject(value)) return 'a generator'
  if (types.isExternal(value)) return 'an external object'
  return undefined
}

/**
 * The error for a value that could not be encoded, with the place of what is at fault; `held` when
 * something in
 * it is, otherwise it is nested too deeply.
 */
export function unsupported(root: unknown, held: boolean): UnsupportedValue {
  const found = held ? find(root, '', new Set(), 0) : undefined
  if (found === undefined && held)
    return new UnsupportedValue('Something deep inside a value cannot be sent to another process.', '')
  if (found === undefined)
    return new UnsupportedValue('A value is nested too deeply to be sent to another process.', '')
  const where = found.path === '' ? '' : ` at ${found.path}`
  return new UnsupportedValue(
    `${capital(found.reason)}${where} cannot be sent to another process.`,
    found.path,
  )
}

interface Found {
  readonly path: string
  readonly reason: string
}

function find(value: unknown, path: string, seen: Set<unknown>, depth: number): Found | undefined {
  const reason = whyUnsupported(value)
  if (reason !== undefined) return { path, reason }
  if (typeof value !== 'object' || value === null || seen.has(value) || depth > MAX_DEPTH) return undefined
  seen.add(value)
  for (const [member, at] of membersOf(value, path)) {
    const found = find(member, at, seen, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

function* membersOf(value: object, path: string): Generator<readonly [unknown, string]> {
  if (types.isMap(value)) {
    let index = 0
    for (const [key, one] of value) {
      yield [key, `${path}.keys()[${index}]`]
      yield [
        one,
        typeof key === 'string' ? `${path}.get(${JSON.stringify(key)})` : `${path}.values()[${index}]`,
      ]
      index += 1
    }
  } else if (types.isSet(value)) {
    let index = 0
    for (const one of value) yield [one, `${path}.values()[${index++}]`]
  } else if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) yield [one, `${path}[${index}]`]
  } else if (!ArrayBuffer.isView(value)) {
    for (const name of Object.keys(value)) {
      const plain = /^[A-Za-z_$][\w$]*$/.test(name)
      const step = plain ? (path === '' ? name : `.${name}`) : `[${JSON.stringify(name)}]`
      yield [(value as Record<string, unknown>)[name], `${path}${step}`] // any object has members
    }
  }
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
