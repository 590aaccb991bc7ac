/**
 * Cuts JavaScript as esbuild prints it into its top-level statements. It relies on that spelling: every
 * statement starts on a line of its own and nothing at the top level is broken over lines outside of
 * brackets.
 */
export function splitStatements(code: string): string[] {
  const statements: string[] = []
  let start = 0
  let depth = 0
  for (let at = 0; at < code.length;) {
    const character = code[at] ?? ''
    if (character === '\n' && depth === 0) {
      const statement = code.slice(start, at).trim()
      if (statement !== '') statements.push(statement)
      start = at + 1
    }
    if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character)) depth--
    at = skipToken(code, at)
  }
  const last = code.slice(start).trim()
  return last === '' ? statements : [...statements, last]
}

/**
 * The position behind what starts at `at`: a whole string, template, comment or regular expression, or a
 * character.
 */
function skipToken(code: string, at: number): number {
  const character = code[at]
  if (character === '"' || character === "'") return skipQuoted(code, at)
  if (character === '`') return skipTemplate(code, at)
  if (character !== '/') return at + 1
  if (code[at + 1] === '/') return endOr(code, code.indexOf('\n', at))
  if (code[at + 1] === '*') return endOr(code, code.indexOf('*/', at) + 2)
  return startsExpression(code, at) ? skipRegExp(code, at) : at + 1
}

const endOr = (code: string, at: number): number => (at < 2 ? code.length : at)

function skipQuoted(code: string, from: number): number {
  const quote = code[from]
  for (let at = from + 1; at < code.length; at++) {
    if (code[at] === '\\') at++
    else if (code[at] === quote) return at + 1
  }
  return code.length
}

function skipTemplate(code: string, from: number): number {
  for (let at = from + 1; at < code.length;) {
    if (code[at] === '`') return at + 1
    if (code[at] === '\\') at += 2
    else if (code[at] === '$' && code[at + 1] === '{') at = skipBraces(code, at + 1)
    else at++
  }
  return code.length
}

function skipBraces(code: string, from: number): number {
  let depth = 0
  for (let at = from; at < code.length;) {
    if (code[at] === '{') depth++
    if (code[at] === '}' && --depth === 0) return at + 1
    at = skipToken(code, at)
  }
  return code.length
}

function skipRegExp(code: string, from: number): number {
  let inClass = false
  for (let at = from + 1; at < code.length; at++) {
    const character = code[at]
    if (character === '\\') at++
    else if (character === '[') inClass = true
    else if (character === ']') inClass = false
    else if (character === '/' && !inClass) return at + 1
  }
  return code.length
}

/**
 * Whether a slash at `at` begins a regular expression: it does where a value is expected, else it
 * divides.
 */
function startsExpression(code: string, at: number): boolean {
  const before = code.slice(Math.max(0, at - 20), at).trimEnd()
  return (
    before === '' ||
    /[([{,;=:!&|?+\-*%<>~^]$|\b(?:return|typeof|case|in|of|void|delete|await|yield)$/.test(before)
  )
}

/** The names that a top-level statement declares or imports. */
export function declaredNames(statement: string): string[] {
  const text = statement.replace(/^export (?:default )?/, '')
  const named = /^(?:async )?(?:function\*?|class) ([\w$]+)/.exec(text)?.[1]
  if (named !== undefined) return [named]
  const imported = /^import ([^"']*) from /.exec(text)?.[1]
  if (imported !== undefined) return importedNames(imported)
  if (!/^(?:const|let|var) /.test(text)) return []
  const pattern = /^\w+ ([{[].*?[}\]]) = /s.exec(text)?.[1]
  if (pattern !== undefined) return pattern.match(/[\w$]+/g) ?? []
  return declarators(text)
}

/** `a = 1, b = f(2, 3)` declares a and b. */
function declarators(text: string): string[] {
  const names: string[] = []
  let depth = 0
  let expecting = true
  for (let at = text.indexOf(' ') + 1; at < text.length;) {
    const name = expecting ? /^[\w$]+/.exec(text.slice(at, at + 100))?.[0] : undefined
    if (name !== undefined) names.push(name)
    expecting = false
    const character = text[at] ?? ''
    if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character)) depth--
    else if (character === ',' && depth === 0) {
      expecting = true
      at++
      while (text[at] === ' ') at++
      continue
    }
    at = skipToken(text, at)
  }
  return names
}

/** `a, { b, c as d }` or `* as e` → the local names. */
function importedNames(clause: string): string[] {
  return clause
    .split(/[{},]/)
    .map((part) => part.trim().split(/\s+/).at(-1) ?? '')
    .filter((name) => name !== '')
}

/**
 * Whether `name` occurs in `code` as a word; occurrences in strings count too, which only keeps more than
 * is needed.
 */
export const mentions = (code: string, name: string): boolean =>
  new RegExp(`(?<![\\w$.])${name.replaceAll('$', '\\$')}(?![\\w$])`).test(code)
