import { MILLI } from '../resources.ts'

/** A GPU of this machine. */
export interface GpuDevice {
  /** Its number on the machine: what `CUDA_VISIBLE_DEVICES` takes. */
  readonly index: number
  /** The driver's own name for it, the same whatever else is visible; undefined for a declared one. */
  readonly uuid?: string | undefined
  /** N of its device node /dev/nvidiaN. */
  readonly minor?: number | undefined
  /** Words of the model's name with dashes between them, such as `nvidia-h100-80gb-hbm3`. */
  readonly model?: string | undefined
  readonly memoryMb?: number | undefined
  /** It was said to be there, and nobody looked. */
  readonly declared: boolean
}

/**
 * The GPUs that amounts declare: `{ gpu: 4 }`, `{ 'gpu:h100': 2, 'gpu:a100': 2 }`, with `gpuMemoryMb` the
 * memory of each. Those of a model come first.
 */
export function declaredGpus(resources: Readonly<Record<string, number>>): GpuDevice[] {
  const memoryMb = resources['gpuMemoryMb']
  const models: (string | undefined)[] = []
  for (const [name, count] of Object.entries(resources))
    if (name.startsWith('gpu:'))
      for (let one = 0; one < count; one++) models.push(name.slice(4).toLowerCase())
  while (models.length < Math.floor(resources['gpu'] ?? 0)) models.push(undefined)
  return models.map((model, index) => ({ index, model, memoryMb, declared: true }))
}

/** Whether amounts say how many GPUs there are, so that nobody has to look. */
export const declaresGpus = (resources: Readonly<Record<string, number>>): boolean =>
  Object.keys(resources).some((name) => name === 'gpu' || name.startsWith('gpu:'))

/** Amounts without what only says which GPUs there are. */
export const withoutGpus = (resources: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(resources).filter(([name]) => !/^(gpu|gpuMemoryMb|gpu:.*)$/.test(name)))

/** So many GPUs in milli-units. */
export const gpuAmount = (devices: readonly unknown[]): number => devices.length * MILLI

/**
 * By what libraries find the GPUs of `indices` and no others: every process on a machine with GPUs is told,
 * holders of none that there are none. `byUuid` where a process does not see all of them, since they are
 * numbered anew there.
 */
export function gpuVariables(
  devices: readonly GpuDevice[],
  indices: readonly number[],
  byUuid: boolean,
): Record<string, string> {
  const names = indices.map((index) => {
    const uuid = byUuid ? devices.find((one) => one.index === index)?.uuid : undefined
    return uuid ?? String(index)
  })
  return {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: names.join(','),
    NVIDIA_VISIBLE_DEVICES: names.join(',') || 'void',
  }
}

/** N of the device nodes /dev/nvidiaN of some GPUs. */
export const minorsOf = (devices: readonly GpuDevice[], indices: readonly number[]): number[] =>
  indices.map((index) => devices.find((one) => one.index === index)?.minor ?? index)
