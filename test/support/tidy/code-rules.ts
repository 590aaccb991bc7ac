import { findAll, type Finding, type SourceFile } from './source.ts'

const isEngine = (path: string): boolean => /^(runtime|adapters)\//.test(path)

/** What the language offers and this tree does without. */
export function plainTypescript(file: SourceFile): Finding[] {
  const { code } = file
  if (!file.path.endsWith('.ts')) return []
  return [
    ...findAll(file, code, /\bexport\s*\*/g, '`export *` hides what is exported'),
    ...findAll(file, code, /\b(?:const\s+)?enum\s+[A-Za-z_$]/g, 'an enum: use a union of literals'),
    ...findAll(file, code, /\b(?:namespace|module)\s+[\w$.]+\s*\{/g, 'a namespace: use a module'),
    ...findAll(
      file,
      code,
      /\bconstructor\s*\((?:[^)]*,)?\s*(?:private|public|protected|readonly)\s/g,
      'a parameter property: declare the field',
    ),
    ...findAll(file, code, /(?<![.\w$])any\b(?!\s*[:(])/g, '`any`: use `unknown` and look'),
    ...findAll(file, code, /[\w$\])]!(?![=\w])/g, 'a non-null `!`: handle the missing case'),
    ...findAll(
      file,
      code,
      /^\s*(?:private|public|protected)\s(?!constructor\b)/gm,
      'an access modifier: use `#`',
    ),
  ]
}

/** Default exports are for what a tool loads by convention. */
export function namedExports(file: SourceFile): Finding[] {
  if (/\.(config|d)\.ts$/.test(file.path) || file.path.startsWith('functions/')) return []
  return findAll(file, file.code, /\bexport\s+default\b/g, 'a default export: give it a name')
}

const CLOCK_FILES = /^runtime\/(clock|environments\/(entry|spawner|keeper)\/clock)\.ts$/
const RNG_FILES = /^runtime\/(rng|environments\/(entry|spawner|keeper)\/rng)\.ts$/

/** Time and randomness are handed in, so that a test or a simulation can hold them still. */
export function timeIsInjected(file: SourceFile): Finding[] {
  if (!isEngine(file.path)) return []
  const time =
    /\bDate\.now\b|\bnew Date\(\s*\)|(?<![.\w$])set(?:Timeout|Interval)\(|\bAbortSignal\.timeout\b/g
  return [
    ...(CLOCK_FILES.test(file.path) ? [] : findAll(file, file.code, time, 'time comes from Clock')),
    ...(RNG_FILES.test(file.path)
      ? []
      : findAll(file, file.code, /\bMath\.random\b/g, 'randomness comes from Rng')),
  ]
}

const STATEMENTS = [
  /SELECT\s[^'"`]*\sFROM\s/,
  /INSERT\s+(?:OR\s+\w+\s+)?INTO\s/,
  /UPDATE\s+\w+\s+SET\s/,
  /DELETE\s+FROM\s/,
  /CREATE\s+(?:TABLE|INDEX|UNIQUE)\s/,
  /PRAGMA\s/,
]
const SQL = new RegExp(`['"\`]\\s*(?:${STATEMENTS.map((statement) => statement.source).join('|')})`, 'g')

/** SQL lives in runtime/store/. */
export function sqlInStore(file: SourceFile): Finding[] {
  if (!/^(runtime|adapters|deploy)\//.test(file.path) || file.path.startsWith('runtime/store/')) return []
  return findAll(file, file.uncommented, SQL, 'SQL outside runtime/store/')
}

/** The engine logs events; only commands and the child's patched console print. */
export function consoleInDeploy(file: SourceFile): Finding[] {
  if (!isEngine(file.path) || file.path.startsWith('runtime/environments/entry/')) return []
  return findAll(file, file.code, /(?<![.\w$])console\./g, '`console.` outside deploy/: use Log')
}

const LINE_COLUMNS = 110
const FILE_LINES = 400

/** A line fits 110 columns, unless it is too long for one string alone, which nobody can break. */
export function lineLength(file: SourceFile): Finding[] {
  if (!file.path.endsWith('.ts')) return []
  const code = file.code.split('\n')
  return file.text.split('\n').flatMap((text, index) => {
    if (text.length <= LINE_COLUMNS || /https?:\/\/\S{60}/.test(text)) return []
    const bare = code[index] ?? ''
    const withoutStrings = bare.replaceAll(/(['"`}])\s+(?=['"`$])/g, '$1').trimEnd()
    const isLongString = /['"`]/.test(bare) && withoutStrings.length <= LINE_COLUMNS
    const isComment = bare.trim() === '' && /^\s*(\*|\/\/|\/\*)/.test(text)
    const isInsideTemplate = bare.trim() === '' && !isComment
    if (isLongString || isInsideTemplate) return []
    const message = `${text.length} columns; the limit is ${LINE_COLUMNS}`
    return [{ path: file.path, line: index + 1, message }]
  })
}

/** A file that outgrew its noun is split along another one. */
export function fileLength(file: SourceFile): Finding[] {
  const lines = file.text.split('\n').length - 1
  if (!file.path.endsWith('.ts') || lines <= FILE_LINES) return []
  return [{ path: file.path, line: lines, message: `${lines} lines; the limit is ${FILE_LINES}` }]
}

const EXPORTED = /^export (?:abstract )?(?:async )?(?:function\*?|const|class|interface|type) (\w+)/

/**
 * Exports of runtime/ say what they promise. Exempt: constants that continue a documented group line by line,
 * and a type made of the constant above it.
 */
export function docstrings(file: SourceFile): Finding[] {
  if (!file.path.startsWith('runtime/')) return []
  const lines = file.text.split('\n')
  const code = file.code.split('\n')
  return code.flatMap((line, index) => {
    const name = EXPORTED.exec(line)?.[1]
    if (name === undefined) return []
    const above = lines[index - 1] ?? ''
    const continuesGroup = /^export const \w+/.test(above)
    const isTypeOfConstant = /^export type \w+ = \(?typeof /.test(line) || isOverload(code, index, name)
    if (above.trimEnd().endsWith('*/') || continuesGroup || isTypeOfConstant) return []
    return [{ path: file.path, line: index + 1, message: `${name} has no docstring` }]
  })
}

const isOverload = (code: readonly string[], index: number, name: string): boolean =>
  code.slice(0, index).some((line) => line.startsWith(`export function ${name}(`))
