import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** What became of one test file. */
export interface FileOutcome {
  readonly path: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly durationMs: number
  /** Why the file failed beyond its failed tests: a crash, a hang, no tests; undefined when it did not. */
  readonly problem: string | undefined
  /** The end of what it printed. */
  readonly output: string
}

/** What uvu printed at its end; undefined when it printed no summary. */
export interface UvuSummary {
  readonly total: number
  readonly passed: number
  readonly skipped: number
}

const OUTPUT_BYTES = 256 * 1024
/** How long a process may go on after its summary: engines under test must stop within it. */
const LINGER_MS = 10_000
/** How long processes of a finished file may take to be gone. */
const LEFTOVER_MS = 3000

/** Reads uvu's `Total:`, `Passed:` and `Skipped:`; a file that ran its queue more than once is summed up. */
export function parseUvuSummary(output: string): UvuSummary | undefined {
  const summaries = [
    ...output.matchAll(/^ {2}Total: {5}(\d+)\n {2}Passed: {4}(\d+)\n {2}Skipped: {3}(\d+)$/gm),
  ]
  if (summaries.length === 0) return undefined
  const sum = (index: number) => summaries.reduce((total, match) => total + Number(match[index]), 0)
  return { total: sum(1), passed: sum(2), skipped: sum(3) }
}

/**
 * Runs one file in a process group of its own and kills the group at `limitMs`. Resolves always: whatever
 * goes wrong is in the outcome.
 */
export function runTestFile(options: {
  root: string
  path: string
  limitMs: number
  lingerMs?: number
  signal: AbortSignal
}): Promise<FileOutcome> {
  const { root, path, limitMs, lingerMs = LINGER_MS, signal } = options
  return new Promise((resolve) => {
    const startedMs = performance.now()
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, path)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: cleanEnvironment(process.env),
    })
    let output = ''
    let problem: string | undefined
    let linger: NodeJS.Timeout | undefined
    const stop = (reason: string) => {
      problem ??= reason
      killGroup(child.pid)
    }
    const limit = setTimeout(() => stop(`was killed at its limit of ${limitMs / 1000} s`), limitMs)
    const onAbort = () => stop('was interrupted')
    signal.addEventListener('abort', onAbort, { once: true })
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_BYTES)
      if (linger !== undefined || parseUvuSummary(output) === undefined) return
      const reason = `printed its summary and then did not exit for ${lingerMs / 1000} s: something is still open`
      linger = setTimeout(() => stop(reason), lingerMs)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error) => (problem ??= `could not be started: ${error.message}`))
    // 'exit', not 'close': a process that was left behind holds the pipes and would hide itself.
    const settle = async (code: number | null, killedBy: string | null) => {
      clearTimeout(limit)
      clearTimeout(linger)
      signal.removeEventListener('abort', onAbort)
      const leftovers = child.pid === undefined ? false : await groupSurvives(child.pid)
      if (leftovers) stop('left processes behind')
      const ended = killedBy === null ? `exited with ${code}` : `was ended by ${killedBy}`
      const durationMs = performance.now() - startedMs
      resolve(judge({ path, output, durationMs, problem, ended: code === 0 ? undefined : ended }))
    }
    child.on('exit', (code, killedBy) => setImmediate(() => void settle(code, killedBy)))
    child.on('error', () => child.pid === undefined && void settle(null, null))
  })
}

function judge(run: {
  path: string
  output: string
  durationMs: number
  problem: string | undefined
  ended: string | undefined
}): FileOutcome {
  const { path, output, durationMs, ended } = run
  const summary = parseUvuSummary(output) ?? { total: 0, passed: 0, skipped: 0 }
  const failedTests = summary.total - summary.passed
  let problem = run.problem
  if (ended !== undefined && failedTests === 0) problem ??= ended
  if (summary.total + summary.skipped === 0) problem ??= 'ran no tests'
  const failed = failedTests + (problem === undefined ? 0 : 1)
  return { path, passed: summary.passed, failed, skipped: summary.skipped, durationMs, problem, output }
}

/**
 * Tests see no setting and no credential of the person who runs them, and print no colour. LAMBENT_CHAOS_… is
 * meant for them.
 */
function cleanEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const personal = /^(LAMBENT_(?!CHAOS_)|AWS_|FORCE_COLOR$)/
  const kept = Object.entries(environment).filter(([name]) => !personal.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1' }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already: that is what was wanted.
  }
}

async function groupSurvives(pid: number): Promise<boolean> {
  const deadlineMs = performance.now() + LEFTOVER_MS
  while (groupExists(pid)) {
    if (performance.now() > deadlineMs) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

function groupExists(pid: number): boolean {
  try {
    process.kill(-pid, 0)
    return true
  } catch {
    return false
  }
}
