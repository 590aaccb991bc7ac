import { EngineError } from '../../runtime/errors.ts'

/** Largest JSON body of an operation that carries code, bytes. */
export const CODE_BODY_BYTES = 70_167_211
/** Largest JSON body of any other operation, bytes. */
export const BODY_BYTES = 6_291_556

/** Members of a JSON object, read with the type the model gives them. Null counts as absent. */
export class Fields {
  readonly #members: Readonly<Record<string, unknown>>

  constructor(members: Readonly<Record<string, unknown>>) {
    this.#members = members
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined
  }

  text(name: string): string | undefined {
    const value = this.#get(name)
    if (value === undefined || typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw unreadable(name, 'a String')
  }

  integer(name: string): number | undefined {
    const value = this.#get(name)
    if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value))) return value
    throw unreadable(name, 'an Integer')
  }

  number(name: string): number | undefined {
    const value = this.#get(name)
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
    throw unreadable(name, 'a Double')
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name)
    if (value === undefined || typeof value === 'boolean') return value
    throw unreadable(name, 'a Boolean')
  }

  fields(name: string): Fields | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (isObject(value)) return new Fields(value)
    throw unreadable(name, 'an Object')
  }

  /** Objects in a list. */
  list(name: string): Fields[] | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((item) => isObject(item)))
      return value.map((item) => new Fields(item))
    throw unreadable(name, 'a List of Objects')
  }

  /** As it was sent, for what is stored unread. */
  value(name: string): unknown {
    return this.#get(name)
  }

  texts(name: string): string[] | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw unreadable(name, 'a List of Strings')
  }

  textMap(name: string): Record<string, string> | undefined {
    return this.#map(name, 'a Map of Strings', (value): value is string => typeof value === 'string')
  }

  numberMap(name: string): Record<string, number> | undefined {
    return this.#map(name, 'a Map of Doubles', (value): value is number => typeof value === 'number')
  }

  #map<Value>(
    name: string,
    kind: string,
    isValue: (value: unknown) => value is Value,
  ): Record<string, Value> | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (!isObject(value)) throw unreadable(name, kind)
    const entries = Object.entries(value).map(([key, item]): [string, Value] => {
      if (!isValue(item)) throw unreadable(`${name}.${key}`, kind)
      return [key, item]
    })
    return Object.fromEntries(entries)
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? (this.#members[name] ?? undefined) : undefined
  }
}

/**
 * Reads a JSON object of at most `maxBytes`; an empty body has no members, and the content type does not
 * matter.
 *
 * Rejects with EngineError 'too-large' with detail 'body', or 'invalid' with detail 'serialization'.
 */
export async function readFields(request: Request, maxBytes: number, operation: string): Promise<Fields> {
  const text = (await readBytes(request, maxBytes, operation)).toString('utf8')
  if (text.trim() === '') return new Fields({})
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new EngineError('invalid', 'Could not parse request body into json.', { detail: 'serialization' })
  }
  if (!isObject(value))
    throw new EngineError('invalid', 'The request body must be a JSON object.', { detail: 'serialization' })
  return new Fields(value)
}

async function readBytes(request: Request, maxBytes: number, operation: string): Promise<Buffer> {
  const tooLarge = (): EngineError =>
    new EngineError(
      'too-large',
      `Request must be smaller than ${maxBytes} bytes for the ${operation} operation`,
      {
        detail: 'body',
      },
    )
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      // the cast: a request's body is a stream of bytes; the type leaves it open
      const bytes = chunk as Uint8Array
      size += bytes.length
      if (size > maxBytes) throw tooLarge()
      chunks.push(bytes)
    }
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    // the client went away: nothing of ours failed, and nobody reads the answer
    throw new EngineError('invalid', 'The request ended before its body was complete.', {
      detail: 'serialization',
      cause,
    })
  }
  return Buffer.concat(chunks, size)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const unreadable = (name: string, kind: string): EngineError =>
  new EngineError('invalid', `${name} can not be converted to ${kind}`, { detail: 'serialization' })
