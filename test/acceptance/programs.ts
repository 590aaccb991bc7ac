import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** How a program ended. */
export interface ProgramResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly cwd?: string
  /** More of the environment; what is already in it stays, but for AWS_* and LAMBENT_*. */
  readonly env?: Readonly<Record<string, string>>
  readonly limitMs?: number
}

/** This process's environment without what would point a client at a real account or another engine. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(AWS_|LAMBENT_|NO_COLOR$|FORCE_COLOR$)/.test(entry[0]),
  )
  return { ...Object.fromEntries(kept), ...more }
}

/** Runs a program to its end; it is killed after `limitMs` (30 s). */
export async function runProgram(
  file: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(file, words, {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')))
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 30_000)
  const [code] = (await once(child, 'close')) as [number | null] // Node's own signature
  clearTimeout(limit)
  return { code, stdout, stderr }
}

/** Whether a program of that name can be found on PATH. */
export const isInstalled = (name: string): boolean => installed(name).length > 0

/** The newest generation of the AWS CLI on PATH, which may hold two; undefined when there is none of it. */
export async function findAwsCli2(): Promise<string | undefined> {
  for (const path of installed('aws')) {
    const { stdout } = await runProgram(path, ['--version'])
    if (stdout.startsWith('aws-cli/2.')) return path
  }
  return undefined
}

/** Every program of that name on PATH. */
function installed(name: string): string[] {
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return paths.filter((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** What every AWS client is given here: keys that are none, a region, and nobody else to ask. */
export const CLIENT_ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_PAGER: '',
} as const
