import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { systemClock } from '../../clock.ts'
import { readStat } from '../spawner/proc.ts'
import { signalProcess } from '../spawner/sweep.ts'
import { EngineLink } from './engine-link.ts'
import { keeperFiles, readKeeperExit, writeWhole, type KeeperExit } from './keeper-files.ts'

/**
 * The keeper: parents one long-running program that outlives its engine.
 *
 *     keeper.js COMMAND [ARGUMENT]…
 *
 * Started in a session of its own, without a parent's-death signal, with LAMBENT_KEEPER=1 (which sweeps
 * spare), LAMBENT_KEEPER_DIRECTORY (state, output and exit status go there), LAMBENT_KEEPER_LIMIT_MS (how
 * long it goes on without an engine), LAMBENT_SOCKET, LAMBENT_ENVIRONMENT_ID and LAMBENT_TOKEN (how it
 * proves itself to an engine). The program gets all other variables.
 */

/** How often the time without an engine is looked at. */
const LOOK_MS = 200
/** Between asking the program to end and ending it. */
const GRACE_MS = 5000

function take(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set.`)
  delete process.env[name]
  return value
}

function main(): void {
  const [, , command, ...args] = process.argv
  if (command === undefined) throw new Error('There is no command to run.')
  const directory = take('LAMBENT_KEEPER_DIRECTORY')
  const limitMs = Number(take('LAMBENT_KEEPER_LIMIT_MS'))
  const socketPath = take('LAMBENT_SOCKET')
  const environmentId = take('LAMBENT_ENVIRONMENT_ID')
  const token = take('LAMBENT_TOKEN')
  // A keeper that is started again for work that has ended has nothing to do.
  if (readKeeperExit(directory) !== undefined) return

  const files = keeperFiles(directory)
  let reason: KeeperExit['reason'] = 'ended'
  const finish = (code: number | null, signal: string | null, message = ''): void => {
    writeWhole(directory, files.exit, { code, signal, endedAtMs: systemClock.nowMs(), reason, message })
    process.exit(0)
  }

  // Before anything can be known of this process, lest an early signal ends it without a word.
  let isAsked = false
  let stop = (_why: KeeperExit['reason']): void => void (isAsked = true)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop('asked'))
  // The terminal or service that an engine was started from may end: the work goes on.
  process.on('SIGHUP', () => {})
  process.on('SIGUSR1', () => {})

  const stdout = openSync(files.stdout, 'a', 0o600)
  const stderr = openSync(files.stderr, 'a', 0o600)
  const program = spawn(command, args, { detached: true, stdio: ['ignore', stdout, stderr] })
  closeSync(stdout)
  closeSync(stderr)
  const { pid } = program
  program.once('error', (error) => {
    if (pid !== undefined) return
    reason = 'not-started'
    finish(null, null, error.message)
  })
  if (pid === undefined) return
  program.once('exit', (code, signal) => {
    // What the program left behind in its group goes with it.
    signalProcess(-pid, 'SIGKILL')
    finish(code, signal)
  })
  writeWhole(directory, files.state, {
    keeper: { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0 },
    program: { pid, startTicks: readStat(pid)?.startTicks ?? 0 },
    startedAtMs: systemClock.nowMs(),
  })

  stop = (why) => {
    if (reason !== 'ended') return
    reason = why
    signalProcess(-pid, 'SIGTERM')
    systemClock.after(GRACE_MS, () => signalProcess(-pid, 'SIGKILL'))
  }
  const link = new EngineLink(
    socketPath,
    { environmentId, token, pid: process.pid, nodeVersion: process.version },
    () => stop('asked'),
  )
  systemClock.every(LOOK_MS, () => {
    if (link.lostForMs > limitMs) stop('no-engine')
  })
  if (isAsked) stop('asked')
}

main()
