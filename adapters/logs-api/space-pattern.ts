import { badPattern, matchesText, regular, type MessageFilter } from './text-matching.ts'

type Test = (column: string) => boolean

/** A filter on columns between spaces: `[ip, user, ..., status = 4* || status = 5*, bytes > 1000]`. */
export function spacePattern(text: string): MessageFilter {
  if (!text.endsWith(']')) throw badPattern()
  const columns = text.slice(1, -1).split(',').map(columnOf)
  const gap = columns.indexOf('gap')
  if (gap !== columns.lastIndexOf('gap')) throw badPattern()
  return (message) => {
    const values = columnsOf(message)
    if (gap < 0) return values.length === columns.length && all(columns, values)
    const after = columns.length - gap - 1
    if (values.length < gap + after) return false
    return (
      all(columns.slice(0, gap), values) && all(columns.slice(gap + 1), values.slice(values.length - after))
    )
  }
}

const all = (columns: readonly (Test | 'gap')[], values: readonly string[]): boolean =>
  columns.every((test, index) => test === 'gap' || test(values[index] ?? ''))

/** Columns stand between spaces; what is in quotes or brackets is one. */
const columnsOf = (message: string): string[] =>
  Array.from(
    message.matchAll(/"([^"]*)"|\[([^\]]*)\]|(\S+)/g),
    ([, quoted, bracketed, plain]) => quoted ?? bracketed ?? plain ?? '',
  )

function columnOf(text: string): Test | 'gap' {
  const column = text.trim()
  if (column === '...') return 'gap'
  if (/^\w*$/.test(column)) return () => true
  const choices = column.split('||').map((choice) => choice.split('&&').map(conditionOf))
  return (value) => choices.some((conditions) => conditions.every((test) => test(value)))
}

const CONDITION = /^\s*(\w+)\s*(!=|>=|<=|=|>|<)\s*(?:"([^"]*)"|%(.+)%|(\S+))\s*$/

function conditionOf(text: string): Test {
  const found = CONDITION.exec(text)
  if (found === null) throw badPattern()
  const [, , operator, quoted, expression, plain = ''] = found
  const expected = quoted ?? plain
  const number = Number(expected)
  if (operator === '>') return (value) => Number(value) > number
  if (operator === '<') return (value) => Number(value) < number
  if (operator === '>=') return (value) => Number(value) >= number
  if (operator === '<=') return (value) => Number(value) <= number
  const matches = expression === undefined ? undefined : regular(expression)
  const test: Test = (value) => (matches === undefined ? matchesText(expected, value) : matches(value))
  return operator === '=' ? test : (value) => !test(value)
}
