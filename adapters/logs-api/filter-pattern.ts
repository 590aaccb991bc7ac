import { jsonPattern } from './json-pattern.ts'
import { spacePattern } from './space-pattern.ts'
import { badPattern, regular, unescaped, type MessageFilter } from './text-matching.ts'

const MAX_LENGTH = 1024

/**
 * The filter that a CloudWatch Logs pattern describes: terms (`ERROR "a phrase" -not ?either %regex%`), JSON
 * (`{ $.level = "ERROR" && $.took > 3 }`) or columns (`[ip, user, ..., status = 4*]`). Undefined for a
 * pattern that matches everything.
 *
 * Throws EngineError 'invalid'.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function filterOf(pattern: string | undefined): MessageFilter | undefined {
  const text = pattern?.trim() ?? ''
  if (text === '') return undefined
  if (text.length > MAX_LENGTH) throw badPattern()
  if (text.startsWith('{')) return jsonPattern(text)
  if (text.startsWith('[')) return spacePattern(text)
  return terms(text)
}

const TERM = /\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|([^\s"]+))/y

function terms(text: string): MessageFilter {
  const wanted: MessageFilter[] = []
  const either: MessageFilter[] = []
  const unwanted: MessageFilter[] = []
  TERM.lastIndex = 0
  while (TERM.lastIndex < text.length) {
    const found = TERM.exec(text)
    if (found === null) throw badPattern()
    const [, sign = '', phrase, expression, word] = found
    const term =
      expression === undefined
        ? containing(phrase === undefined ? (word ?? '') : unescaped(phrase))
        : regular(expression)
    if (sign === '-') unwanted.push(term)
    else if (sign === '?') either.push(term)
    else wanted.push(term)
  }
  return (message) =>
    wanted.every((term) => term(message)) &&
    !unwanted.some((term) => term(message)) &&
    // what is merely possible adds nothing to what is required
    (wanted.length > 0 || either.length === 0 || either.some((term) => term(message)))
}

const containing =
  (term: string): MessageFilter =>
  (message) =>
    message.includes(term)
