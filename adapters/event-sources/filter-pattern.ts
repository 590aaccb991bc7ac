import { EngineError } from '../../runtime/errors.ts'

/**
 * Patterns of FilterCriteria: which records a function wants to see.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
 */
export interface FilterPattern {
  readonly root: PatternNode
}

/** A member whose text is looked into when the pattern does, and compared as text when it does not. */
export interface TextMember {
  readonly name: string
  readonly text: string
}

/** All fields must match; of the alternatives of each `$or`, one. */
interface PatternNode {
  readonly fields: ReadonlyMap<string, PatternNode | readonly Condition[]>
  readonly alternatives: readonly (readonly PatternNode[])[]
}

type Scalar = string | number | boolean | null

/** One of the conditions of a field; one that holds is enough. */
interface Condition {
  /** Whether a value that is there satisfies it; objects never do. */
  holds(value: Scalar): boolean
  /** Whether a field that is not there satisfies it. */
  readonly absent: boolean
}

const MAX_DEPTH = 100
const LARGEST_NUMBER = 5_000_000_000

/** Throws EngineError 'invalid' for what is no pattern. */
export function parseFilterPattern(text: string): FilterPattern {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid()
  }
  return { root: nodeOf(value, 0) }
}

/**
 * Whether `event` matches. `member` stands for a member of the event that holds text: where the pattern looks
 * into it, it is read as JSON, and does not match when it is none; where the pattern wants plain text, text
 * that is a JSON object or array does not match.
 */
export const matchesFilter = (
  { root }: FilterPattern,
  event: Readonly<Record<string, unknown>>,
  member?: TextMember,
): boolean => nodeMatches(root, event, member)

// Matching

function nodeMatches(node: PatternNode, value: unknown, member?: TextMember): boolean {
  for (const [name, wanted] of node.fields) {
    const isText = member?.name === name
    const found = isText ? readText(member.text, wanted) : memberOf(value, name)
    if (isText && found === undefined) return false // the other kind of text than the pattern is about
    if (isConditions(wanted) ? !conditionsHold(wanted, found) : !nestedMatches(wanted, found)) return false
  }
  return node.alternatives.every((group) => group.some((one) => nodeMatches(one, value, member)))
}

/** An array matches when one of its elements does. */
const nestedMatches = (node: PatternNode, found: unknown): boolean =>
  Array.isArray(found) ? found.some((item) => nestedMatches(node, item)) : nodeMatches(node, found)

function conditionsHold(conditions: readonly Condition[], found: unknown): boolean {
  const values = scalarsOf(found)
  if (values.length === 0) return conditions.some(({ absent }) => absent)
  return conditions.some((condition) => values.some((value) => condition.holds(value)))
}

/** The leaves that conditions look at: a value itself, or the elements of an array. */
function scalarsOf(found: unknown): Scalar[] {
  if (Array.isArray(found)) return found.flatMap((item) => scalarsOf(item))
  if (found === null) return [null]
  if (typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean') return [found]
  return []
}

function readText(text: string, wanted: PatternNode | readonly Condition[]): unknown {
  const parsed = parsedObject(text)
  if (isConditions(wanted)) return parsed === undefined ? text : undefined
  return parsed
}

function parsedObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const memberOf = (value: unknown, name: string): unknown =>
  // the cast: any object may be asked for its own members
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

// Reading patterns

function nodeOf(value: unknown, depth: number): PatternNode {
  if (!isObject(value) || depth > MAX_DEPTH) throw invalid()
  const entries = Object.entries(value)
  if (entries.length === 0) throw invalid()
  const fields = new Map<string, PatternNode | readonly Condition[]>()
  const alternatives: (readonly PatternNode[])[] = []
  for (const [name, wanted] of entries) {
    if (name === '$or' && isAlternatives(wanted))
      alternatives.push(wanted.map((one) => nodeOf(one, depth + 1)))
    else if (Array.isArray(wanted)) fields.set(name, conditionsOf(wanted))
    else fields.set(name, nodeOf(wanted, depth + 1))
  }
  return { fields, alternatives }
}

/** Anything else under this name is a field that happens to be called so. */
const isAlternatives = (value: unknown): value is readonly Record<string, unknown>[] =>
  Array.isArray(value) && value.length > 1 && value.every((one) => isObject(one) && !isOperator(one))

const isOperator = (value: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(value).some((name) => Object.hasOwn(OPERATORS, name))

function conditionsOf(values: readonly unknown[]): Condition[] {
  if (values.length === 0) throw invalid()
  return values.map((value) => {
    if (isScalar(value)) return { holds: (found) => found === value, absent: false }
    if (!isObject(value)) throw invalid()
    const [entry, ...more] = Object.entries(value)
    const operator = entry === undefined ? undefined : operatorOf(entry[0])
    if (entry === undefined || more.length > 0 || operator === undefined) throw invalid()
    return operator(entry[1])
  })
}

const operatorOf = (name: string): ((operand: unknown) => Condition) | undefined =>
  Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined

const OPERATORS: Readonly<Record<string, (operand: unknown) => Condition>> = {
  prefix: (operand) => present(startOf(operand)),
  suffix: (operand) => present(endOf(operand)),
  'equals-ignore-case': (operand) => present(sameLetters(operand)),
  exists: (operand) => {
    if (typeof operand !== 'boolean') throw invalid()
    return { holds: () => operand, absent: !operand }
  },
  numeric: (operand) => present(inRange(operand)),
  'anything-but': (operand) => present(anythingBut(operand)),
}

type Test = (value: Scalar) => boolean

const present = (holds: Test): Condition => ({ holds, absent: false })

function startOf(operand: unknown): Test {
  if (isObject(operand)) return ignoringCase(operand, (value, wanted) => value.startsWith(wanted))
  const wanted = textOf(operand)
  return (value) => typeof value === 'string' && value.startsWith(wanted)
}

function endOf(operand: unknown): Test {
  if (isObject(operand)) return ignoringCase(operand, (value, wanted) => value.endsWith(wanted))
  const wanted = textOf(operand)
  return (value) => typeof value === 'string' && value.endsWith(wanted)
}

/** `{ "equals-ignore-case": "text" }` inside a prefix or suffix. */
function ignoringCase(
  operand: Readonly<Record<string, unknown>>,
  compare: (value: string, wanted: string) => boolean,
): Test {
  if (Object.keys(operand).length !== 1) throw invalid()
  const wanted = textOf(operand['equals-ignore-case']).toLowerCase()
  return (value) => typeof value === 'string' && compare(value.toLowerCase(), wanted)
}

function sameLetters(operand: unknown): Test {
  const wanted = textOf(operand).toLowerCase()
  return (value) => typeof value === 'string' && value.toLowerCase() === wanted
}

/** One value, several of one kind, or one of the text operators with one text or several. */
function anythingBut(operand: unknown): Test {
  if (isObject(operand)) {
    const [entry, ...more] = Object.entries(operand)
    const test = entry === undefined ? undefined : TEXT_TESTS[entry[0]]
    if (entry === undefined || more.length > 0 || test === undefined) throw invalid()
    const tests = severalOf(entry[1]).map((one) => test(one))
    return (value) => !tests.some((one) => one(value))
  }
  const values = severalOf(operand)
  const kind = typeof values[0]
  if (!values.every((value) => typeof value === kind && isScalar(value))) throw invalid()
  return (value) => !values.includes(value)
}

const TEXT_TESTS: Readonly<Record<string, (operand: unknown) => Test>> = {
  prefix: startOf,
  suffix: endOf,
  'equals-ignore-case': sameLetters,
}

function severalOf(operand: unknown): readonly unknown[] {
  if (!Array.isArray(operand)) return [operand]
  if (operand.length === 0) throw invalid()
  return operand
}

/** `["=", 5]`, `[">", 0]`, `[">=", 0, "<", 5]`. */
function inRange(operand: unknown): Test {
  if (!Array.isArray(operand)) throw invalid()
  const [first, low, second, high, ...rest] = operand as unknown[] // each is checked below
  if (rest.length > 0 || !isBound(low) || (operand.length !== 2 && operand.length !== 4)) throw invalid()
  if (operand.length === 2) return comparison(first, low)
  if (!isBound(high) || low >= high) throw invalid()
  if ((first !== '>' && first !== '>=') || (second !== '<' && second !== '<=')) throw invalid()
  const [above, below] = [comparison(first, low), comparison(second, high)]
  return (value) => above(value) && below(value)
}

function comparison(sign: unknown, bound: number): Test {
  const compare = (holds: (value: number) => boolean): Test => {
    return (value) => typeof value === 'number' && holds(value)
  }
  if (sign === '=') return compare((value) => value === bound)
  if (sign === '<') return compare((value) => value < bound)
  if (sign === '<=') return compare((value) => value <= bound)
  if (sign === '>') return compare((value) => value > bound)
  if (sign === '>=') return compare((value) => value >= bound)
  throw invalid()
}

const isBound = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= LARGEST_NUMBER

function textOf(operand: unknown): string {
  if (typeof operand !== 'string') throw invalid()
  return operand
}

const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isConditions = (wanted: PatternNode | readonly Condition[]): wanted is readonly Condition[] =>
  Array.isArray(wanted)

const invalid = (): EngineError => new EngineError('invalid', 'Invalid filter pattern definition.')
