import { SDK_ERRORS } from '../errors.ts'

type ErrorClass = new (...parameters: never[]) => Error

/** Classes whose errors come back as themselves. Taken before user code can replace them. */
const KNOWN: Readonly<Record<string, ErrorClass>> = {
  __proto__: null as never, // no name of a member of Object is one of a class
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
  ...SDK_ERRORS,
}

/** What an error is called on the wire: its class, where the class has a name of its own. */
export function classNameOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException'
  const { name } = error as Partial<Error> // user code may have deleted or replaced it
  const constructor: unknown = (error as { constructor?: unknown }).constructor // likewise
  const own = typeof constructor === 'function' ? constructor.name : ''
  if (own !== '' && own !== 'Object' && own.length <= MAX_NAME) return own
  return typeof name === 'string' && name !== '' && name.length <= MAX_NAME ? name : 'Error'
}

/** By which name callers tell an error from others, and a task's `retryOn` names it. */
export function errorNameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  const className = classNameOf(thrown)
  const { name } = thrown as Partial<Error> // user code may have deleted or replaced it
  const named = typeof name === 'string' && name !== '' && name.length <= MAX_NAME
  if (!named) return className
  return className === 'DOMException' ? name : ownName(className, name)
}

/** A class that has set no name of its own shows that of the class it extends. */
const ownName = (className: string, name: string): string => (name in KNOWN ? className : name)

/**
 * An error of a class as it is told: of that class when it is known here, otherwise an Error that carries
 * the name. No constructor of the class runs.
 */
export function rebuildError(className: string, name: string, message: string): Error {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  let error: Error
  try {
    error =
      className === 'DOMException'
        ? new DOMException(message, name)
        : (Reflect.construct(Error, [message], KNOWN[className] ?? Error) as Error) // so it was asked to
  } finally {
    Error.stackTraceLimit = limit
  }
  const shown = className in KNOWN ? name : ownName(className, name)
  if (error.name !== shown && className !== 'DOMException')
    Object.defineProperty(error, 'name', { value: shown, writable: true, configurable: true })
  return error
}

/** A longer one is no name. */
const MAX_NAME = 256
