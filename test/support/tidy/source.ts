/** One file of the tree, as the rules see it. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  /** `text` with comments and the insides of strings as spaces: same length, same lines. */
  readonly code: string
  /** `text` with comments as spaces; strings are kept. */
  readonly uncommented: string
}

/** A broken rule. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** Prepares `text` for the rules. Only TypeScript is scanned; other files are kept as they are. */
export function sourceFile(path: string, text: string): SourceFile {
  if (!path.endsWith('.ts')) return { path, text, code: text, uncommented: text }
  return { path, text, ...blank(text) }
}

/** Every match of `pattern` (global) in `where`, as findings with its line. */
export function findAll(file: SourceFile, where: string, pattern: RegExp, message: string): Finding[] {
  return [...where.matchAll(pattern)].map((match) => {
    const offset = match.index + match[0].search(/\S|$/)
    return { path: file.path, line: lineAt(where, offset), message }
  })
}

/** The 1-based line that `offset` lies on. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

const REGEX_MAY_FOLLOW =
  /(?:[=(,:[!&|?{};+\-*%<>~^]|=>|\b(?:return|typeof|case|in|of|void|await|yield|do|else))\s*$/

/**
 * A small scanner in place of a parser: TypeScript 7 has no stable API for one. It knows strings, templates
 * with nested code, comments and regular expressions, which is what can hide or fake a keyword.
 */
function blank(text: string): { code: string; uncommented: string } {
  const code = text.split('')
  const uncommented = text.split('')
  const clear = (target: string[], from: number, to: number) => {
    for (let index = from; index < to; index += 1) if (text[index] !== '\n') target[index] = ' '
  }
  /** Depth of braces at which each open template's expression ends. */
  const templates: number[] = []
  let depth = 0
  let at = 0
  const template = (from: number): number => {
    let end = from
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end))
      end += text[end] === '\\' ? 2 : 1
    clear(code, from, end)
    if (text[end] === '`') return end + 1
    templates.push(depth)
    depth += 1
    return end + 2
  }
  while (at < text.length) {
    const character = text[at]
    if (text.startsWith('//', at)) {
      const end = indexOrEnd(text, '\n', at)
      clear(code, at, end)
      clear(uncommented, at, end)
      at = end
    } else if (text.startsWith('/*', at)) {
      const end = Math.min(indexOrEnd(text, '*/', at + 2) + 2, text.length)
      clear(code, at, end)
      clear(uncommented, at, end)
      at = end
    } else if (character === "'" || character === '"') {
      let end = at + 1
      while (end < text.length && text[end] !== character && text[end] !== '\n')
        end += text[end] === '\\' ? 2 : 1
      clear(code, at + 1, end)
      at = end + 1
    } else if (character === '`') {
      at = template(at + 1)
    } else if (character === '/' && REGEX_MAY_FOLLOW.test(code.slice(Math.max(0, at - 12), at).join(''))) {
      const end = regexEnd(text, at)
      clear(code, at + 1, end)
      at = end
    } else {
      if (character === '{') depth += 1
      if (character === '}') depth -= 1
      at += 1
      if (character === '}' && templates.at(-1) === depth) {
        templates.pop()
        at = template(at)
      }
    }
  }
  return { code: code.join(''), uncommented: uncommented.join('') }
}

function regexEnd(text: string, start: number): number {
  let inClass = false
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '[') inClass = true
    else if (text[at] === ']') inClass = false
    else if (text[at] === '/' && !inClass) return at + 1
  }
  return start + 1
}

function indexOrEnd(text: string, searched: string, from: number): number {
  const index = text.indexOf(searched, from)
  return index === -1 ? text.length : index
}
