import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import type { RuntimeProcessSettings } from '../../frames.ts'
import { whyNotExecutable } from './executable.ts'

/** How a runtime's process ended, or why it could not be started. */
export interface RuntimeExit {
  readonly code: number | null
  readonly signal: string | null
  /** In place of code and signal: what the platform calls it. */
  readonly failure?: { errorType: string; message: string }
}

/** Beside this program. */
const PYTHON_PROGRAM = 'bootstrap.py'
/** A shell's codes for a program that is not there, and for one that may not be started. */
const NOT_FOUND_EXIT = 127
const NOT_EXECUTABLE_EXIT = 126

/** What a runtime is started with. */
export interface RuntimeProcessOptions {
  readonly settings: RuntimeProcessSettings
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  /** Becomes its stdout and stderr. */
  readonly log: number
  /** Writes a line of the platform's own to the log. */
  readonly say: (line: string) => void
  /** Called once. */
  readonly onExit: (exit: RuntimeExit) => void
}

/** A runtime's own process, in a session of its own. */
export class RuntimeProcess {
  #child: ChildProcess | undefined

  /** Starts it; what keeps it from starting is told through `onExit`. */
  constructor(options: RuntimeProcessOptions) {
    const command = commandOf(options)
    if ('code' in command) {
      queueMicrotask(() => options.onExit(command))
      return
    }
    const [file = '', ...rest] = command
    let told = false
    const tell = (exit: RuntimeExit): void => {
      if (!told) options.onExit(exit)
      told = true
    }
    const { log, workingDirectory: cwd, environment: env } = options
    const child = spawn(file, rest, { cwd, env, stdio: ['ignore', log, log], detached: true })
    child.once('error', (error) => tell(invalidEntrypoint(`fork/exec ${file}: ${error.message}`)))
    child.once('exit', (code, signal) => tell({ code, signal }))
    this.#child = child
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** To the process and what it has started in its session. */
  signal(name: NodeJS.Signals): void {
    try {
      if (this.pid !== undefined) process.kill(-this.pid, name)
    } catch {
      // Gone already.
    }
  }
}

/** The words to start, or how starting them ends. */
function commandOf({ settings, say }: RuntimeProcessOptions): readonly string[] | RuntimeExit {
  const { kind, wrapper } = settings
  const command = wordsOf(settings)
  if (kind === 'bootstrap') {
    const found = command.find((path) => fs.statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    if (found === undefined)
      return invalidEntrypoint(`Couldn't find valid bootstrap(s): [${command.join(' ')}]`)
    const reason = whyNotExecutable(found)
    return reason === undefined ? [found] : invalidEntrypoint(`fork/exec ${found}: ${reason}`)
  }
  if (wrapper === '') return command
  const reason = whyNotExecutable(wrapper)
  // Managed runtimes are started by a shell script, which is what these codes and words are of.
  if (reason === 'exec format error') return ['/bin/sh', wrapper, ...command]
  if (reason === undefined) return [wrapper, ...command]
  const words = reason.charAt(0).toUpperCase() + reason.slice(1)
  say(`/var/runtime/bootstrap: ${wrapper}: ${words}`)
  return { code: reason === 'permission denied' ? NOT_EXECUTABLE_EXIT : NOT_FOUND_EXIT, signal: null }
}

/** Our own programs lie side by side, and the program is the last word: wrappers rely on that. */
function wordsOf({ kind, command }: RuntimeProcessSettings): string[] {
  const program = process.argv[1] ?? ''
  if (kind === 'node') return [process.execPath, ...command, program]
  return kind === 'python' ? [...command, join(dirname(program), PYTHON_PROGRAM)] : command
}

const invalidEntrypoint = (message: string): RuntimeExit => ({
  code: null,
  signal: null,
  failure: { errorType: 'Runtime.InvalidEntrypoint', message },
})
