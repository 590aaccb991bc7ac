import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { entryPath } from '../entries.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { GpuDevice } from './gpu-devices.ts'

/** Asks the driver. Rejects when it does not answer, or not in time. */
export interface GpuProbe {
  /** Every GPU of the machine, whoever may use it. */
  devices(): Promise<GpuDevice[]>
  /** Ids of the processes that compute on each GPU, by its uuid. */
  processes(): Promise<Map<string, number[]>>
}

/** A driver that hangs is a driver that is broken. */
const PROBE_LIMIT_MS = 2000
/** Starting a driver that nobody uses takes longer than asking it. */
const FIRST_PROBE_LIMIT_MS = 10_000
const MAX_OUTPUT_BYTES = 1_000_000
const DRIVER = '/dev/nvidiactl'

/**
 * Asks `nvidia-smi`, and where there is none the driver's library. Undefined: nothing says that this machine
 * has GPUs.
 */
export function createGpuProbe(
  options: {
    /** Command to run; found on PATH. */
    readonly tool?: string
    /** The driver's library, for where the command is missing; absent: only where there is a driver. */
    readonly library?: string
  } = {},
): GpuProbe {
  const tool = options.tool ?? 'nvidia-smi'
  const library = options.library ?? (existsSync(DRIVER) ? 'libnvidia-ml.so.1' : undefined)
  const ask = async (fields: string, what: string, limitMs: number): Promise<string[][]> => {
    try {
      return rows(await run(tool, [fields, '--format=csv,noheader,nounits'], limitMs))
    } catch (error) {
      if (!isMissing(error)) throw error
      if (library === undefined) return []
      return rows(await run(process.execPath, [entryPath('gpu-probe.js'), what, library], limitMs))
    }
  }
  return {
    async devices() {
      const found = await ask(
        '--query-gpu=index,uuid,name,memory.total,pci.bus_id',
        'gpus',
        FIRST_PROBE_LIMIT_MS,
      )
      return found.map(([index = '', uuid = '', name = '', memory = '', place = '']) => ({
        index: Number(index),
        uuid,
        minor: minorOf(place, Number(index)),
        model: modelOf(name),
        memoryMb: Number.isFinite(Number(memory)) ? Number(memory) : undefined,
        declared: false,
      }))
    },
    async processes() {
      const byGpu = new Map<string, number[]>()
      for (const [uuid = '', pid = ''] of await ask(
        '--query-compute-apps=gpu_uuid,pid',
        'processes',
        PROBE_LIMIT_MS,
      ))
        byGpu.set(uuid, [...(byGpu.get(uuid) ?? []), Number(pid)])
      return byGpu
    },
  }
}

/**
 * The GPUs this engine may hand out: those that are there, as far as its own `CUDA_VISIBLE_DEVICES` names
 * them. A driver that does not answer is told in the log and counts as none.
 */
export async function discoverGpus(
  probe: Pick<GpuProbe, 'devices'>,
  visible: string | undefined,
  log: Log,
): Promise<GpuDevice[]> {
  try {
    return onlyVisible(await probe.devices(), visible)
  } catch (error) {
    log.warn('GPUs could not be looked for; none is offered', { message: messageOf(error) })
    return []
  }
}

/**
 * What a value of `CUDA_VISIBLE_DEVICES` leaves of `devices`: indices, or uuids or how they begin; it ends at
 * the first that is none, as CUDA has it.
 */
export function onlyVisible(devices: readonly GpuDevice[], visible: string | undefined): GpuDevice[] {
  if (visible === undefined) return [...devices]
  const named = new Set<GpuDevice>()
  for (const name of visible.split(',').map((one) => one.trim())) {
    const found = devices.find((one) =>
      /^\d+$/.test(name) ? one.index === Number(name) : name !== '' && one.uuid?.startsWith(name) === true,
    )
    if (found === undefined) break
    named.add(found)
  }
  return devices.filter((one) => named.has(one))
}

/** `NVIDIA H100 80GB HBM3` as `nvidia-h100-80gb-hbm3`. */
const modelOf = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')

/** N of /dev/nvidiaN: told by the driver's library, or found where the GPU sits; else its index. */
function minorOf(place: string, index: number): number {
  if (/^\d+$/.test(place)) return Number(place)
  const [, domain = '', rest = ''] = /^0*([0-9a-f]{4}):(.+)$/i.exec(place) ?? []
  try {
    const text = readFileSync(`/proc/driver/nvidia/gpus/${domain}:${rest}/information`.toLowerCase(), 'utf8')
    return Number(/^Device Minor:\s*(\d+)/m.exec(text)?.[1] ?? index)
  } catch {
    return index
  }
}

const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => /^(\d+|GPU-[^,]+),/.test(line))
    .map((line) => line.split(',').map((field) => field.trim()))

function run(command: string, args: readonly string[], limitMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        if (error.killed === true) return reject(new Error(`${command} did not answer for ${limitMs} ms.`))
        if (isMissing(error)) return reject(error)
        const said = stderr.trim().split('\n').at(-1) ?? ''
        reject(new Error(`${command} failed: ${said === '' ? error.message : said}`))
      },
    )
  })
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')
