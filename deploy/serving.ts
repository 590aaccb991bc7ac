import { startLambent, type RunningLambent } from '../adapters/main.ts'
import { systemClock } from '../runtime/clock.ts'
import { ConfigError, readConfig, type Config, type ConfigInput } from '../runtime/config.ts'
import { EngineError } from '../runtime/errors.ts'
import { createLog, jsonFormat, readableFormat } from '../runtime/log.ts'
import { systemRng } from '../runtime/rng.ts'
import { CommandError, EXIT, notBuiltYet } from './exit-codes.ts'
import type { Session, StartFlags } from './session.ts'

/** The configuration of flags and LAMBENT_* variables; a usage error with all problems together. */
export function configure(flags: StartFlags, environment: Session['environment']): Config {
  const input: ConfigInput = Object.fromEntries(
    Object.entries(flags).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      value,
    ]),
  )
  let config: Config
  try {
    config = readConfig(input, environment)
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.message, { cause: error })
    throw error
  }
  if (config.cluster !== 'local') throw notBuiltYet(`--cluster ${config.cluster}`)
  return config
}

/** Starts the engine and its listeners in this process, its log on stderr. */
export async function serve({ out }: Pick<Session, 'out'>, config: Config): Promise<RunningLambent> {
  const clock = systemClock
  const log = createLog({
    level: config.logLevel,
    clock,
    sink: out.note,
    format: out.isTerminal ? readableFormat : jsonFormat,
  })
  try {
    return await startLambent(config, { clock, rng: systemRng(), log })
  } catch (error) {
    // What a person can act on has a message of its own; anything else is our bug and keeps its stack.
    if (error instanceof EngineError) {
      const exitCode = error.code === 'invalid' ? EXIT.usage : EXIT.failed
      const hint = error.hint === undefined ? {} : { hint: error.hint }
      throw new CommandError(exitCode, error.message, { cause: error, ...hint })
    }
    if (error instanceof Error && error.name === 'PortTakenError') {
      const hint = 'Stop it, or choose other ports with --port and --http-port (0 picks free ones).'
      throw new CommandError(EXIT.failed, error.message, { cause: error, hint })
    }
    throw error
  }
}

/**
 * Waits for the first signal, then drains and stops. A second signal ends this process at once; the spawner
 * sees its pipe close and kills what it started.
 */
export async function untilStopped(
  { signal, out }: Pick<Session, 'out' | 'signal'>,
  lambent: RunningLambent,
): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await stopServing({ out }, lambent)
}

const HOLD_MS = 1000

/** Drains and stops; see `untilStopped` for a second signal. */
export async function stopServing({ out }: Pick<Session, 'out'>, lambent: RunningLambent): Promise<void> {
  const kill = (): never => process.exit(EXIT.interrupted)
  process.on('SIGINT', kill)
  process.on('SIGTERM', kill)
  if (out.isTerminal) out.note('Stopping: running work may finish. Once more to stop at once.')
  // The engine's own timers keep no process alive: without this one, Node.js could end before the stop has.
  const held = setInterval(() => {}, HOLD_MS)
  try {
    await lambent.stop()
  } finally {
    clearInterval(held)
    process.off('SIGINT', kill)
    process.off('SIGTERM', kill)
  }
}
