import { types } from 'node:util'
import type { HandlerContract } from './contract.ts'

/** Lambda's error JSON. Members that are undefined are left out of it. */
export interface ErrorJson {
  errorType: string | undefined
  errorMessage: string | undefined
  trace?: string[]
}

/** Failures that the runtime itself reports; the name on the wire is `Runtime.<kind>`. */
export type RuntimeErrorKind =
  | 'CallbackHandlerDeprecated'
  | 'HandlerNotFound'
  | 'ImportModuleError'
  | 'InvalidStreamingOperation'
  | 'InvalidWorkingDir'
  | 'JSONStringifyError'
  | 'MalformedHandlerName'
  | 'MalformedStreamingHandler'
  | 'UnhandledPromiseRejection'
  | 'UserCodeSyntaxError'

/** An error the runtime made. Its name carries the `Runtime.` prefix, as handlers and logs see it on AWS. */
export class RuntimeError extends Error {
  constructor(kind: RuntimeErrorKind, message: string, stack?: string) {
    super(message)
    // Not enumerable, so that logs do not show it beside `errorType`.
    Object.defineProperty(this, 'name', { value: `Runtime.${kind}`, writable: true, configurable: true })
    if (stack !== undefined) this.stack = stack
  }
}

const UNREADABLE_MESSAGE =
  'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack'

/** DEL is not allowed in the headers that carry the same text, so both places have it escaped. */
const escapeDelete = (text: string): string => text.replaceAll('\u007f', '%7F')

/**
 * What the caller gets for anything that was thrown. Under `callbacks` an object that only looks like an
 * error counts as one (errors of other realms, and hand-made ones); under `promises` only real errors do.
 */
export function toErrorJson(thrown: unknown, contract: HandlerContract): ErrorJson {
  try {
    return contract === 'promises' ? describeStrictly(thrown) : describeLoosely(thrown)
  } catch {
    // A getter of the thrown value threw: AWS answers with this text, and only the newer client with a trace.
    const unreadable = { errorType: 'handled', errorMessage: UNREADABLE_MESSAGE }
    return contract === 'promises' ? { ...unreadable, trace: [] } : unreadable
  }
}

function describeStrictly(thrown: unknown): ErrorJson {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] }
  // The types say string, but user code may have deleted or replaced any of the three.
  const { name, message, stack } = thrown as Partial<Error>
  return {
    errorType: name === undefined ? undefined : escapeDelete(name),
    errorMessage: message === undefined ? undefined : escapeDelete(message),
    trace: stack === undefined ? [] : escapeDelete(stack).split('\n'),
  }
}

function describeLoosely(thrown: unknown): ErrorJson {
  if (types.isNativeError(thrown) || looksLikeError(thrown))
    return {
      errorType: escapeDelete(thrown.name),
      errorMessage: escapeDelete(thrown.message),
      // Absent on a real error whose stack was deleted: the throw below is answered as unreadable, as AWS
      // does.
      trace: escapeDelete(thrown.stack as string).split('\n'),
    }
  // Null and undefined never come here: they are replaced before.
  return { errorType: typeof thrown, errorMessage: (thrown as object).toString(), trace: [] }
}

function looksLikeError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false
  const { name, message, stack } = value as Partial<Error> // only read, then checked
  return [name, message, stack].every((text) => typeof text === 'string' && text !== '')
}

/** Anything thrown as an Error, for the log. */
export const intoError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown))

/** An error as the text log shows it: a tab, then JSON with its own properties and its stack as lines. */
export function toLogText(error: Error, contract: HandlerContract): string {
  try {
    return `\t${JSON.stringify(error, (_name, value: unknown) => withProperties(value))}`
  } catch {
    // An own property is circular or throws; AWS falls back to the plain three members.
    return `\t${JSON.stringify(toErrorJson(error, contract))}`
  }
}

function withProperties(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const { code } = value as { code?: unknown } // many Node.js errors have one
  const stack = typeof value.stack === 'string' ? { stack: value.stack.split('\n') } : {}
  return { errorType: value.name, errorMessage: value.message, code, ...value, ...stack }
}
