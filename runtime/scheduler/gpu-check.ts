import type { Clock, Timer } from '../clock.ts'
import type { GpuDevice } from '../environments/gpu-devices.ts'
import type { GpuProbe } from '../environments/gpu-discovery.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

/** Who finds out when a GPU that was given back is really free. */
export interface GpuCheck {
  /**
   * Calls `told` with undefined once no process is on it, with the reason as often as that is found not to be
   * so for too long.
   */
  whenFree(gpu: GpuDevice, told: (problem: string | undefined) => void): void
  /** Looks no more. */
  close(): void
}

/** Memory of a process that is gone is given back by the driver within this time; then something is wrong. */
const PATIENCE_MS = 2000
const LOOK_EVERY_MS = 100
/** A GPU that was found busy is looked at again and again: what holds it may end. */
const LOOK_AGAIN_MS = 5000

interface Watch {
  readonly gpu: GpuDevice
  readonly since: number
  readonly told: (problem: string | undefined) => void
  problem: string | undefined
}

/** Asks `probe` which processes are on GPUs, once for all of them that are being given back. */
export function createGpuCheck(parts: { probe: GpuProbe; clock: Clock; log: Log }): GpuCheck {
  const { probe, clock, log } = parts
  const watches = new Set<Watch>()
  let looking = false
  let closed = false
  let next: Timer | undefined

  const look = async (): Promise<void> => {
    let found: Map<string, number[]> | string
    try {
      found = await probe.processes()
    } catch (error) {
      found = messageOf(error)
    }
    for (const watch of [...watches]) judge(watch, found)
  }
  const judge = (watch: Watch, found: Map<string, number[]> | string): void => {
    const { gpu, told } = watch
    const pids = typeof found === 'string' ? [] : (found.get(gpu.uuid ?? '') ?? [])
    if (typeof found !== 'string' && pids.length === 0) {
      watches.delete(watch)
      if (watch.problem !== undefined) log.info('a GPU is free again', { gpu: gpu.index })
      return told(undefined)
    }
    if (clock.monotonicMs() - watch.since < PATIENCE_MS) return
    const problem =
      typeof found === 'string'
        ? `cordoned: the driver does not say what runs on it (${found})`
        : `cordoned: ${pids.length === 1 ? 'process' : 'processes'} ${pids.join(', ')} still on it`
    if (problem === watch.problem) return
    log.warn('a GPU is not handed on', { gpu: gpu.index, reason: problem })
    watch.problem = problem
    told(problem)
  }
  const run = (): void => {
    if (looking || closed || watches.size === 0) return
    looking = true
    next?.cancel()
    void look().then(() => {
      looking = false
      const fresh = [...watches].some(({ problem }) => problem === undefined)
      if (watches.size > 0) next = clock.after(fresh ? LOOK_EVERY_MS : LOOK_AGAIN_MS, run)
    })
  }

  return {
    whenFree(gpu, told) {
      watches.add({ gpu, since: clock.monotonicMs(), told, problem: undefined })
      run()
    },
    close() {
      closed = true
      next?.cancel()
      watches.clear()
    },
  }
}
