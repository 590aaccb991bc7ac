import { createRequire } from 'node:module'

/**
 * Asks the driver's management library where its command line tool is missing, in a process of its own, since
 * a broken driver can hang whoever asks. Prints what `nvidia-smi` would: `gpus` or `processes`.
 */

/** What is used of koffi; its own types need its package, which is optional. */
interface Koffi {
  load(path: string): { func(prototype: string): (...args: unknown[]) => number }
  struct(name: string, members: Record<string, string>): unknown
}

const BUSY_SIZE = 7 // NVML_ERROR_INSUFFICIENT_SIZE
const NAME_BYTES = 96
const MOST_PROCESSES = 256
const PROCESS_BYTES = 24 // nvmlProcessInfo_t: the pid comes first

function main([what, library = 'libnvidia-ml.so.1']: readonly string[]): void {
  // the cast: see above
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  koffi.struct('NvmlMemory', { total: 'uint64_t', free: 'uint64_t', used: 'uint64_t' })
  const nvml = koffi.load(library)
  const call = (prototype: string, ...args: unknown[]): void => {
    const status = nvml.func(`int ${prototype}`)(...args)
    if (status !== 0 && status !== BUSY_SIZE) throw new Error(`${prototype} answered ${status}`)
  }
  call('nvmlInit_v2()')
  const count = [0]
  call('nvmlDeviceGetCount_v2(_Out_ uint32_t *count)', count)
  for (let index = 0; index < (count[0] ?? 0); index++) {
    const found: unknown[] = [null]
    call('nvmlDeviceGetHandleByIndex_v2(uint32_t index, _Out_ void **device)', index, found)
    const [device] = found
    const text = (name: string): string => {
      const bytes = Buffer.alloc(NAME_BYTES)
      call(`${name}(void *device, _Out_ uint8_t *text, uint32_t length)`, device, bytes, NAME_BYTES)
      return bytes.toString('utf8', 0, Math.max(0, bytes.indexOf(0)))
    }
    const uuid = text('nvmlDeviceGetUUID')
    if (what === 'processes') {
      const size = [MOST_PROCESSES]
      const running = Buffer.alloc(MOST_PROCESSES * PROCESS_BYTES)
      call(
        'nvmlDeviceGetComputeRunningProcesses_v3(void *device, _Inout_ uint32_t *size, _Out_ uint8_t *running)',
        device,
        size,
        running,
      )
      for (let one = 0; one < Math.min(size[0] ?? 0, MOST_PROCESSES); one++)
        process.stdout.write(`${uuid}, ${running.readUInt32LE(one * PROCESS_BYTES)}\n`)
      continue
    }
    const memory = { total: 0, free: 0, used: 0 }
    call('nvmlDeviceGetMemoryInfo(void *device, _Out_ NvmlMemory *memory)', device, memory)
    const minor = [index]
    call('nvmlDeviceGetMinorNumber(void *device, _Out_ uint32_t *minor)', device, minor)
    const name = text('nvmlDeviceGetName')
    process.stdout.write(
      `${index}, ${uuid}, ${name}, ${Math.floor(Number(memory.total) / 2 ** 20)}, ${minor[0]}\n`,
    )
  }
}

try {
  main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
