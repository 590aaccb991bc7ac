import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { whyNotExecutable } from '../bridge/executable.ts'
import { RuntimeOutput } from '../bridge/runtime-output.ts'
import { LineSplitter } from './line-splitter.ts'

/** How the process of an extension ended. */
export interface ExtensionExit {
  readonly code: number | null
  readonly signal: string | null
}

/** What one is started with. */
export interface ExtensionProcessOptions {
  readonly path: string
  readonly environment: Readonly<Record<string, string>>
  /** Called with every line it prints. */
  readonly onLine: (line: string) => void
  /** Called once, when it has ended and everything that it had printed is told. */
  readonly onExit: (exit: ExtensionExit) => void
}

/** The names of the executables that are extensions, in the order in which they are started. */
export function extensionNames(directory: string): string[] {
  try {
    return fs
      .readdirSync(directory)
      .filter((name) => fs.statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() === true)
      .toSorted()
  } catch {
    return [] // there is no such folder
  }
}

/** Variables of the function that its extensions do not get. */
const RUNTIME_ONLY: readonly string[] = [
  '_HANDLER',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_XRAY_CONTEXT_MISSING',
  'AWS_XRAY_DAEMON_ADDRESS',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
  '_AWS_XRAY_DAEMON_ADDRESS',
  '_AWS_XRAY_DAEMON_PORT',
  '_X_AMZN_TRACE_ID',
  'AWS_LAMBDA_EXEC_WRAPPER',
  'NODE_OPTIONS',
]

/**
 * The variables of an extension.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export const extensionVariables = (variables: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !RUNTIME_ONLY.includes(name)))

/** The process of an external extension, in a session of its own. */
export class ExtensionProcess {
  readonly #child: ChildProcess

  /** Throws an Error with the system's words, `fork/exec <path>: <reason>`, when it cannot be started. */
  constructor({ path, environment, onLine, onExit }: ExtensionProcessOptions) {
    const reason = whyNotExecutable(path)
    if (reason !== undefined) throw new Error(`fork/exec ${path}: ${reason}`)
    const lines = new LineSplitter(onLine)
    const output = new RuntimeOutput({ write: (bytes) => lines.push(bytes) })
    const { descriptor } = output
    let told = false
    const tell = (exit: ExtensionExit): void => {
      if (told) return
      told = true
      output.drain()
      lines.flush()
      output.close()
      onExit(exit)
    }
    const stdio = ['ignore' as const, descriptor, descriptor]
    this.#child = spawn(path, [], { cwd: '/', env: { ...environment }, stdio, detached: true })
    this.#child.once('error', () => tell({ code: 127, signal: null }))
    this.#child.once('exit', (code, signal) => tell({ code, signal }))
  }

  /** Ends it and what it has started. */
  kill(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
}
