import { systemClock } from '../../clock.ts'
import { removeLeftoverGroups } from './control-group.ts'
import { isAlive, readStat } from './proc.ts'
import { createLineReader, type SpawnerEvent, type SpawnerRequest, type SpawnerSettings } from './protocol.ts'
import { SpawnedProcess } from './spawned-process.ts'
import { ofDataDirectory, ofEngine, sweep } from './sweep.ts'
import { Watchdog } from './watchdog.ts'

/**
 * The spawner: a small process that starts everything for the engine, because starting a process blocks the
 * starter for as long as its memory is large, and that ends everything when the engine's pipe ends.
 * Processes are started from the main thread alone: the kernel ties the signal of a parent's death to the
 * thread that forked.
 */

/** After the pipe's end, the longest the spawner looks for trees that are not gone. */
const SHUTDOWN_LIMIT_MS = 250
const SHUTDOWN_PAUSE_MS = 5

const processes = new Map<string, SpawnedProcess>()
const watchdog = new Watchdog(processes)
let settings: SpawnerSettings | undefined
let stopping = false

function emit(event: SpawnerEvent): void {
  if (event.kind === 'exited' || event.kind === 'failed') processes.delete(event.id)
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

function receive(line: string): void {
  if (settings === undefined) {
    settings = JSON.parse(line) as SpawnerSettings // the engine of the same build wrote it
    if (settings.cgroup !== null) removeLeftoverGroups(settings.cgroup)
    const { killed } = sweep(ofDataDirectory(settings.cookie))
    emit({ kind: 'ready', swept: killed })
    return
  }
  const request = JSON.parse(line) as SpawnerRequest // the engine of the same build wrote it
  switch (request.kind) {
    case 'start': {
      const { logSocket, cgroup } = settings
      const started = new SpawnedProcess({ request, logSocket, cgroup, emit })
      processes.set(request.id, started)
      void started.start()
      return
    }
    case 'limit': {
      const limited = processes.get(request.id)
      if (limited === undefined)
        return emit({
          kind: 'limited',
          id: request.id,
          sequence: request.sequence,
          problem: 'The process is gone.',
        })
      void limited.limit(request).then(() => watchdog.wake())
      return
    }
    case 'kill':
      processes.get(request.id)?.kill()
      return
    case 'terminate':
      processes.get(request.id)?.terminate()
  }
}

/** Kills everything, looks for who escaped, waits until it is gone or time is up, and exits. */
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  watchdog.stop()
  const deadlineMs = systemClock.monotonicMs() + SHUTDOWN_LIMIT_MS
  const members = [...processes.values()].flatMap((one) => one.members())
  const named = members.map((pid) => ({ pid, startTicks: readStat(pid)?.startTicks ?? 0 }))
  for (const one of processes.values()) one.kill()
  if (settings !== undefined) sweep(ofEngine(settings.cookie))
  while (processes.size > 0 || named.some(({ pid, startTicks }) => isAlive(pid, startTicks))) {
    if (systemClock.monotonicMs() > deadlineMs) break
    await systemClock.sleep(SHUTDOWN_PAUSE_MS)
  }
  if (settings !== undefined && settings.cgroup !== null) removeLeftoverGroups(settings.cgroup)
  process.exit(0)
}

const read = createLineReader(receive)
process.stdin.on('data', (chunk: Buffer) => read(chunk))
process.stdin.on('end', () => void stop())
process.stdin.on('error', () => void stop())
// The engine reads what we say for as long as it lives; when it does not, stdin ends too.
process.stdout.on('error', () => void stop())
process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())
// Without a listener anybody of the same user could open a debugger in this process with this signal.
process.on('SIGUSR1', () => {})
