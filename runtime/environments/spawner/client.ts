import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Clock } from '../../clock.ts'
import { EngineError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { createLineReader, type SpawnerEvent, type SpawnerRequest, type SpawnerSettings } from './protocol.ts'

/** A spawner that has not swept and answered by then is broken. */
const READY_LIMIT_MS = 10_000

/**
 * Node's own memory is most of what the spawner uses: it runs one small file, so the young generation and
 * the threads that compile and collect are kept at the least.
 */
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=0', '--no-opt']

/** The engine's end of a running spawner. */
export interface SpawnerConnection {
  readonly pid: number
  /** Processes of an earlier engine of this data directory that were found and killed. */
  readonly swept: number
  send(request: SpawnerRequest): void
  /** Ends the pipe and resolves when the spawner, and with it all it started, is gone. */
  close(): Promise<void>
}

/**
 * Starts the spawner and resolves when leftovers are swept. `onEvent` gets what happens later, `onExit` is
 * called once when the spawner is gone, wanted or not. Throws EngineError 'unavailable'.
 */
export async function startSpawner(options: {
  programPath: string
  settings: SpawnerSettings
  clock: Clock
  log: Log
  onEvent: (event: SpawnerEvent) => void
  onExit: () => void
}): Promise<SpawnerConnection> {
  const { programPath, settings, clock, log, onEvent, onExit } = options
  const child = spawn(process.execPath, [...NODE_FLAGS, programPath], {
    cwd: '/',
    // Complete: the spawner, and whoever reads its variables, sees none of the engine's.
    env: { PATH: SPAWNER_PATH, LAMBENT_ENGINE: settings.cookie },
    // In a session of its own: a Ctrl-C at the engine's terminal is the engine's to handle.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let ready: ((swept: number) => void) | undefined
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      log.debug('spawner ended', { code, signal })
      resolve()
      onExit()
    })
  })
  const read = createLineReader((line) => {
    const event = JSON.parse(line) as SpawnerEvent // our own program of the same build wrote it
    if (event.kind === 'ready') ready?.(event.swept)
    else if (event.kind === 'note') log.warn('spawner noted a problem', { message: event.message })
    else onEvent(event)
  })
  child.stdout.on('data', (chunk: Buffer) => read(chunk))
  child.stderr.on('data', (chunk: Buffer) =>
    log.warn('spawner wrote', { text: chunk.toString('utf8').trim() }),
  )
  // A broken pipe means that the spawner is gone; 'exit' tells it.
  child.stdin.on('error', (error) => log.debug('spawner pipe failed', { message: error.message }))
  const swept = await awaitReady(child, clock, (resolve) => (ready = resolve), settings)
  return {
    pid: child.pid ?? 0,
    swept,
    send: (request) => void child.stdin.write(`${JSON.stringify(request)}\n`),
    close() {
      child.stdin.end()
      return exited
    },
  }
}

/** The programs of util-linux and bubblewrap, and nothing of a user's. */
const SPAWNER_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

function awaitReady(
  child: ChildProcessWithoutNullStreams,
  clock: Clock,
  expect: (resolve: (swept: number) => void) => void,
  settings: SpawnerSettings,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      timer.cancel()
      child.kill('SIGKILL')
      reject(new EngineError('unavailable', `The spawner did not start: ${reason}.`))
    }
    const timer = clock.after(READY_LIMIT_MS, () => fail(`no answer after ${READY_LIMIT_MS} ms`))
    const onExit = (code: number | null): void => fail(`it ended with ${code}`)
    child.once('error', (error) => fail(error.message))
    child.once('exit', onExit)
    expect((swept) => {
      timer.cancel()
      child.off('exit', onExit)
      resolve(swept)
    })
    child.stdin.write(`${JSON.stringify(settings)}\n`)
  })
}
