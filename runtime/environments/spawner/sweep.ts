import { listPids, readStat, readVariables } from './proc.ts'

/** Carried by every process of an engine; see SpawnerSettings.cookie. */
export const COOKIE_VARIABLE = 'LAMBENT_ENGINE'
/** Carried by a keeper and what it runs: long work outlives its engine. */
export const KEEPER_VARIABLE = 'LAMBENT_KEEPER'

/**
 * A process that forks faster than one pass finds more; after this many passes the rest is told as
 * survivors.
 */
const MAX_PASSES = 20

/**
 * Kills every process whose variables satisfy `matches`, pass after pass until a pass finds none. Spares
 * this process and keepers. Processes are named by pid and start time, so a number that was given away
 * again is never hit.
 */
export function sweep(matches: (variables: Set<string>) => boolean): { killed: number; survivors: number } {
  const killed = new Set<string>()
  let found = 0
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    found = 0
    for (const pid of listPids()) {
      const startTicks = wanted(pid, matches)
      if (startTicks === undefined) continue
      found++
      killed.add(`${pid}.${startTicks}`)
      signalProcess(pid, 'SIGKILL')
    }
    if (found === 0) break
  }
  return { killed: killed.size, survivors: found }
}

/** Matches processes of any engine that ever ran on this data directory: the cookie up to its dot. */
export function ofDataDirectory(cookie: string): (variables: Set<string>) => boolean {
  const lead = `${COOKIE_VARIABLE}=${cookie.slice(0, cookie.indexOf('.') + 1)}`
  return (variables) => [...variables].some((variable) => variable.startsWith(lead))
}

/** Matches processes of exactly one boot of one engine. */
export const ofEngine =
  (cookie: string) =>
  (variables: Set<string>): boolean =>
    variables.has(`${COOKIE_VARIABLE}=${cookie}`)

/** Sends a signal; false when there is nobody to send it to. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code // process.kill throws nothing else
    if (code === 'ESRCH' || code === 'EPERM') return false
    throw error
  }
}

function wanted(pid: number, matches: (variables: Set<string>) => boolean): number | undefined {
  if (pid === process.pid) return undefined
  const before = readStat(pid)
  if (before === undefined || before.zombie) return undefined
  const variables = readVariables(pid)
  if (variables === undefined || variables.has(`${KEEPER_VARIABLE}=1`) || !matches(variables))
    return undefined
  // The variables were read between two looks at the start time: they belong to this process.
  return readStat(pid)?.startTicks === before.startTicks ? before.startTicks : undefined
}
