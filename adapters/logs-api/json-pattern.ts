import { badPattern, matchesText, regular, unescaped, type MessageFilter } from './text-matching.ts'

type Test = (event: unknown) => boolean

const TOKEN = new RegExp(
  [
    String.raw`\s*(?:(&&|\|\||!=|>=|<=|[=<>()])`,
    String.raw`("(?:[^"\\]|\\.)*")`,
    String.raw`%((?:[^%\\]|\\.)+)%`,
    String.raw`(\$(?:\.[\w@-]+|\[\d+\]|\['[^']*'\]|\["[^"]*"\])*)`,
    String.raw`([^\s()=<>!&|"]+))`,
  ].join('|'),
  'y',
)

interface Token {
  readonly kind: 'operator' | 'text' | 'regex' | 'selector' | 'word'
  readonly value: string
}

/** A filter on events that are JSON: `{ $.level = "ERROR" && ($.took > 3 || $.user IS NULL) }`. */
export function jsonPattern(text: string): MessageFilter {
  if (!text.endsWith('}')) throw badPattern()
  const reader = new Reader(tokensOf(text.slice(1, -1)))
  const test = either(reader)
  if (reader.peek() !== undefined) throw badPattern()
  return (message) => {
    const event = parsed(message)
    return event !== undefined && test(event)
  }
}

function parsed(message: string): unknown {
  if (!/^\s*[{[]/.test(message)) return undefined
  try {
    return JSON.parse(message)
  } catch {
    return undefined
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    if (text.slice(TOKEN.lastIndex).trim() === '') break
    const found = TOKEN.exec(text)
    if (found === null) throw badPattern()
    const [, operator, quoted, regex, selector, word] = found
    if (operator !== undefined) tokens.push({ kind: 'operator', value: operator })
    else if (quoted !== undefined) tokens.push({ kind: 'text', value: unescaped(quoted.slice(1, -1)) })
    else if (regex !== undefined) tokens.push({ kind: 'regex', value: regex })
    else if (selector !== undefined) tokens.push({ kind: 'selector', value: selector })
    else tokens.push({ kind: 'word', value: word ?? '' })
  }
  return tokens
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  take(kind?: Token['kind']): Token {
    const token = this.#tokens[this.#at++]
    if (token === undefined || (kind !== undefined && token.kind !== kind)) throw badPattern()
    return token
  }

  /** Takes the next token if it is this operator or word. */
  skip(value: string): boolean {
    const token = this.peek()
    const isIt = token?.value.toUpperCase() === value && (token.kind === 'operator' || token.kind === 'word')
    if (isIt) this.#at++
    return isIt
  }
}

function either(reader: Reader): Test {
  const tests = [both(reader)]
  while (reader.skip('||')) tests.push(both(reader))
  return (event) => tests.some((test) => test(event))
}

function both(reader: Reader): Test {
  const tests = [one(reader)]
  while (reader.skip('&&')) tests.push(one(reader))
  return (event) => tests.every((test) => test(event))
}

function one(reader: Reader): Test {
  if (reader.skip('(')) {
    const inner = either(reader)
    if (!reader.skip(')')) throw badPattern()
    return inner
  }
  const path = pathOf(reader.take('selector').value)
  if (reader.skip('NOT')) {
    if (!reader.skip('EXISTS')) throw badPattern()
    return (event) => valueAt(event, path) === undefined
  }
  if (reader.skip('EXISTS')) return (event) => valueAt(event, path) !== undefined
  if (reader.skip('IS')) {
    const expected = { NULL: null, TRUE: true, FALSE: false }[reader.take('word').value.toUpperCase()]
    if (expected === undefined) throw badPattern()
    return (event) => valueAt(event, path) === expected
  }
  const operator = reader.take('operator').value
  const test = comparison(operator, reader.take())
  return (event) => test(valueAt(event, path))
}

const NUMBER = /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i

function comparison(operator: string, expected: Token): Test {
  if (expected.kind === 'regex') {
    const matches = regular(expected.value)
    const test: Test = (value) => typeof value === 'string' && matches(value)
    return signed(operator, test)
  }
  if (expected.kind === 'word' && NUMBER.test(expected.value)) {
    const number = Number(expected.value)
    if (operator === '>') return (value) => typeof value === 'number' && value > number
    if (operator === '<') return (value) => typeof value === 'number' && value < number
    if (operator === '>=') return (value) => typeof value === 'number' && value >= number
    if (operator === '<=') return (value) => typeof value === 'number' && value <= number
    return signed(operator, (value) => value === number || value === expected.value)
  }
  if (expected.kind !== 'text' && expected.kind !== 'word') throw badPattern()
  const isText = (value: unknown): boolean => typeof value === 'string' && matchesText(expected.value, value)
  return signed(operator, isText)
}

/** `!=` is true of values only: a member that is missing differs from nothing. */
function signed(operator: string, test: Test): Test {
  if (operator === '=') return test
  if (operator === '!=') return (value) => value !== undefined && !test(value)
  throw badPattern()
}

function pathOf(selector: string): readonly string[] {
  const steps = selector.matchAll(/\.([\w@-]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/g)
  return Array.from(steps, ([, name, index, single, double]) => name ?? index ?? single ?? double ?? '')
}

function valueAt(event: unknown, path: readonly string[]): unknown {
  let value: unknown = event
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step] // it has that member
  }
  return value
}
