import { once } from 'node:events'
import { runCli, startCli, type CliOptions, type CliResult } from './cli.ts'
import { temporaryDirectory } from './temporary.ts'
import { until } from './until.ts'

/** A `lambent start` (or dev) of its own process, data folder and ports. */
export interface LambentProcess extends AsyncDisposable {
  readonly pid: number
  readonly api: string
  readonly http: string
  /** What it has printed so far. */
  readonly stdout: string
  readonly stderr: string
  /** Runs a command against it. */
  run(words: readonly string[], options?: CliOptions): Promise<CliResult>
  /** Sends a signal and resolves with how the process ended. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: string | null }>
}

/**
 * Starts one and resolves when it is ready. `words` are added to the command line; `data` is an existing data
 * folder, in place of one of its own.
 */
export async function startLambentProcess(
  words: readonly string[] = [],
  options: CliOptions & { command?: readonly string[]; data?: string } = {},
): Promise<LambentProcess> {
  const folder = temporaryDirectory()
  const { command = ['start'] } = options
  const places = ['--port', '0', '--http-port', '0', '--data', options.data ?? folder.join('data')]
  const child = startCli([...command, ...places, ...words], options)
  let stdout = ''
  let stderr = ''
  let ended: { code: number | null; signal: string | null } | undefined
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')))
  child.on('close', (code, signal) => (ended = { code, signal }))
  const end = async (signal: NodeJS.Signals) => {
    if (ended === undefined) {
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
    }
    return ended ?? { code: null, signal: null }
  }
  try {
    const [, api = '', http = ''] = await until(
      'lambent is ready',
      () => {
        if (ended !== undefined) throw new Error(`It ended with ${ended.code}: ${stderr}`)
        return /^lambent ready api=(\S+) http=(\S+)$/m.exec(stdout) ?? undefined
      },
      60_000,
    )
    return {
      pid: child.pid ?? 0,
      api,
      http,
      get stdout() {
        return stdout
      },
      get stderr() {
        return stderr
      },
      run: (commandWords, commandOptions) => runCli([...commandWords, '--endpoint', api], commandOptions),
      end,
      async [Symbol.asyncDispose]() {
        await end('SIGKILL')
        folder[Symbol.dispose]()
      },
    }
  } catch (error) {
    await end('SIGKILL')
    folder[Symbol.dispose]()
    throw new Error(`lambent did not get ready. It said:\n${stderr}`, { cause: error })
  }
}
