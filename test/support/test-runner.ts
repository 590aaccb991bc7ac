import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { listTestFiles, ownTimeLimitMs, selectTestFiles } from './test-files.ts'
import { runTestFile, type FileOutcome } from './test-process.ts'

/** Totals of a run, as its last line says them. */
export interface RunTotals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** How a run is configured. */
export interface RunOptions {
  /** The folder that holds the test files. */
  readonly root: string
  readonly filters: readonly string[]
  /** Files at once. */
  readonly jobs: number
  /** For files that ask for no limit of their own. */
  readonly limitMs: number
  /** What failed beside others is tried once more alone: see `tryAgain`. */
  readonly again?: boolean
  readonly lingerMs?: number
  readonly print: (text: string) => void
  readonly signal: AbortSignal
}

/**
 * Runs the files that `filters` select, one process each, and prints one line a file and the output of
 * failures.
 */
export async function runTests(options: RunOptions): Promise<RunTotals> {
  const { root, filters, print, signal } = options
  let queue: string[]
  try {
    queue = selectTestFiles(listTestFiles(root), filters)
    if (queue.length === 0) throw new Error(`There are no test files in ${root}.`)
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const outcomes: FileOutcome[] = []
  const run = async (path: string): Promise<FileOutcome> => {
    const limitMs = ownTimeLimitMs(root, path) ?? options.limitMs
    const { lingerMs } = options
    const outcome = await runTestFile({
      root,
      path,
      limitMs,
      ...(lingerMs === undefined ? {} : { lingerMs }),
      signal,
    })
    print(report(outcome))
    return outcome
  }
  const work = async (): Promise<void> => {
    for (let path = queue.shift(); path !== undefined && !signal.aborted; path = queue.shift())
      outcomes.push(await run(path))
  }
  await Promise.all(Array.from({ length: options.jobs }, work))
  if (options.again === true && !signal.aborted) await tryAgain(options, outcomes, run)
  const failures = outcomes.filter((outcome) => outcome.failed > 0)
  if (failures.length > 0) print(`\nFailed: ${failures.map((outcome) => outcome.path).join(', ')}\n`)
  const sum = (name: keyof RunTotals) => outcomes.reduce((total, outcome) => total + outcome[name], 0)
  return { passed: sum('passed'), failed: sum('failed') + (signal.aborted ? 1 : 0), skipped: sum('skipped') }
}

/** More failures than this are no matter of a busy machine. */
const MOST_AGAIN = 2

/**
 * Tests of the built program measure time while other files use the processors: the few that failed beside
 * others are run once more alone, and both runs are printed. What takes a seed is never tried again: another
 * seed would hide what the first one found.
 */
async function tryAgain(
  { root, jobs, print }: RunOptions,
  outcomes: FileOutcome[],
  run: (path: string) => Promise<FileOutcome>,
): Promise<void> {
  const failed = outcomes.filter((outcome) => outcome.failed > 0)
  if (jobs === 1 || failed.length > MOST_AGAIN) return
  for (const outcome of failed) {
    if (readFileSync(join(root, outcome.path), 'utf8').includes('SEED')) continue
    print(`\n${outcome.path} failed beside other files (above). Once more, alone:\n`)
    outcomes.splice(outcomes.indexOf(outcome), 1, await run(outcome.path))
  }
}

/** The one line that sums a run up; scripts read it. */
export const totalsLine = ({ passed, failed, skipped }: RunTotals): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`

function report(outcome: FileOutcome): string {
  const seconds = `${(outcome.durationMs / 1000).toFixed(1)} s`
  const skipped = outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : ''
  const line = `${outcome.path}  ${outcome.passed} passed${skipped}  ${seconds}\n`
  if (outcome.failed === 0) return `ok    ${line}${remarks(outcome.output)}`
  const problem = outcome.problem === undefined ? '' : `${outcome.path} ${outcome.problem}\n`
  return `FAIL  ${line}${problem}${indent(outcome.output)}\n`
}

/** What a file that passed has to say: lines that support/skip.ts wrote, and figures of what was checked. */
const remarks = (output: string): string =>
  output
    .split('\n')
    .filter((line) => /^(skipped|checked): /.test(line))
    .map((line) => `      ${line}\n`)
    .join('')

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `    ${line}`.trimEnd())
    .join('\n')
