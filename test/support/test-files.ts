import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Suites that need more time or a tool of their own; they run when asked for by name. */
export const SUITES_BY_NAME = [
  'acceptance',
  'conformance',
  'simulation',
  'chaos',
  'browser',
  'bench',
  'ray',
  'libraries',
] as const

/** Paths of all `*.test.ts` under `root`, relative to it, sorted. */
export function listTestFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules/'))
    .toSorted()
}

/**
 * What `filters` ask for: a suite's name means its folder, anything else is part of a path. Without filters,
 * everything but the suites that run by name. A filter that matches nothing is an error, never an empty
 * success.
 */
export function selectTestFiles(files: readonly string[], filters: readonly string[]): string[] {
  const suiteOf = (path: string) => SUITES_BY_NAME.find((suite) => path.startsWith(`${suite}/`))
  if (filters.length === 0) return files.filter((path) => suiteOf(path) === undefined)
  const chosen = new Set<string>()
  for (const given of filters) {
    const filter = given.replace(/^(\.\/)?test\//, '')
    const suite = SUITES_BY_NAME.find((name) => filter === name || filter.startsWith(`${name}/`))
    const matches = files.filter((path) => suiteOf(path) === suite && path.includes(filter))
    if (matches.length === 0) throw new Error(`No test file matches "${given}".`)
    for (const path of matches) chosen.add(path)
  }
  return files.filter((path) => chosen.has(path))
}

/** The limit a file asks for itself, with a line `// time limit: 300 s` at its start; undefined otherwise. */
export function ownTimeLimitMs(root: string, path: string): number | undefined {
  const seconds = /^\/\/ time limit: (\d+) s$/m.exec(
    readFileSync(join(root, path), 'utf8').slice(0, 400),
  )?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
