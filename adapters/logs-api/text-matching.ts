import { EngineError } from '../../runtime/errors.ts'

/** Whether a log event's message is wanted. */
export type MessageFilter = (message: string) => boolean

/** What a pattern that cannot be read is answered with. */
export const badPattern = (): EngineError => new EngineError('invalid', 'Invalid filter pattern')

/** A filter by regular expression; only what AWS allows, which has no way to take exponential time. */
export function regular(source: string): MessageFilter {
  if (!/^(?:[\w\s#=@/;,:'"<>.^$|?*+-]|\\.|\[[^\]]*\]|\{\d*,?\d*\}|\((?![?]))*\)*$/.test(source))
    throw badPattern()
  if (/[(]/.test(source)) throw badPattern()
  let expression: RegExp
  try {
    expression = new RegExp(source)
  } catch {
    throw badPattern()
  }
  return (message) => expression.test(message)
}

/** Text with `*` for anything, as JSON and column patterns compare it. */
export function matchesText(expected: string, actual: string): boolean {
  if (!expected.includes('*')) return expected === actual
  const [first = '', ...rest] = expected.split('*')
  const last = rest.pop() ?? ''
  if (!actual.startsWith(first) || actual.length < first.length + last.length) return false
  let at = first.length
  for (const part of rest) {
    const found = actual.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return actual.length - last.length >= at && actual.endsWith(last)
}

/** A quoted text without its backslashes. */
export const unescaped = (text: string): string => text.replaceAll(/\\(.)/g, '$1')
