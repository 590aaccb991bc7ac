import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** The built program that the tests run. */
export const CLI_PATH = fileURLToPath(new URL('../../dist/lambent.js', import.meta.url))

/** How one command line ended. */
export interface CliResult {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** How to run a command line. */
export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  readonly cwd?: string
  readonly limitMs?: number
}

/** Starts the built `lambent`; its environment is this process's without LAMBENT_* and colour settings. */
export function startCli(
  words: readonly string[],
  options: CliOptions = {},
): ChildProcessByStdio<Writable, Readable, Readable> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(LAMBENT_|NO_COLOR$|FORCE_COLOR$)/.test(name),
  )
  return spawn(process.execPath, [CLI_PATH, ...words], {
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), ...options.env },
  })
}

/** Runs the built `lambent` to its end; it is killed after `limitMs` (30 s). */
export async function runCli(words: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startCli(words, options)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')))
  // A command that does not read its input may be gone before it is written.
  child.stdin.on('error', () => {})
  child.stdin.end(options.stdin ?? '')
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 30_000)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null] // Node's own signature
  clearTimeout(limit)
  return { code, signal, stdout, stderr }
}
