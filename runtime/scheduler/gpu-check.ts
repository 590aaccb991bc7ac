import type { GpuDevice } from '../environments/gpu-devices.ts'

/** Who finds out when a GPU that was given back is really free. */
export interface GpuCheck {
  /** Calls `told` with undefined once no process is on it, with the reason as long as that is not so. */
  whenFree(gpu: GpuDevice, told: (problem: string | undefined) => void): void
}
