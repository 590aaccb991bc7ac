import { importsOf } from './import-rules.ts'
import { findAll, type Finding, type SourceFile } from './source.ts'

/** What lets a uvu file pass without testing anything. */
export function uvuTraps(file: SourceFile): Finding[] {
  if (!file.path.endsWith('.test.ts')) return []
  const { code } = file
  const suites = [...code.matchAll(/\bconst\s+(\w+)\s*=\s*suite(?:<[^(]*>)?\(/g)].map(
    (match) => match[1] ?? '',
  )
  const usesTest =
    /\bimport\b[^;]*\btest\b[^;]*\bfrom\b\s*['"]/.test(code) && file.text.includes("from 'uvu'")
  const names = [...suites, ...(usesTest ? ['test'] : [])]
  const missing = names
    .filter((name) => !new RegExp(`(?<![.\\w$])${name}\\.run\\(\\)`).test(code))
    .map((name) => ({ path: file.path, line: 1, message: `suite "${name}" is never run: ${name}.run()` }))
  const none = names.length === 0 ? [{ path: file.path, line: 1, message: 'registers no suite' }] : []
  const asyncThrows = /\b(?:assert\.)?(?:not\.)?throws\(\s*async\b/g
  return [
    ...missing,
    ...none,
    ...findAll(file, code, /\b\w+\.only\(/g, '`.only` leaves the other tests out'),
    ...findAll(file, code, /\b\w+\.before\(/g, '`suite.before` may throw unseen: set up inside the test'),
    ...findAll(file, code, asyncThrows, 'uvu sees only synchronous throws: use rejectsWith'),
  ]
}

/** A test waits for something, never for some time. */
export function noSleeps(file: SourceFile): Finding[] {
  if (!file.path.endsWith('.test.ts')) return []
  const sleeps = /new Promise[^\n]*\bsetTimeout\(|\bsystemClock\.sleep\(|(?<![.\w$])sleep\(\s*\d/g
  const timers = importsOf(file).filter(({ specifier }) => /^(node:)?timers\/promises$/.test(specifier))
  return [
    ...findAll(file, file.code, sleeps, 'a sleep: await an event or poll with until()'),
    ...timers.map(({ line }) => ({ path: file.path, line, message: 'imports a sleep: poll with until()' })),
  ]
}
