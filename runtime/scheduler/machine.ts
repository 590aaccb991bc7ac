import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { declaredGpus, declaresGpus, type GpuDevice } from '../environments/gpu-devices.ts'
import { createGpuProbe, discoverGpus } from '../environments/gpu-discovery.ts'
import type { Launcher } from '../environments/launcher.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { createGpuCheck, type GpuCheck } from './gpu-check.ts'
import { createLocalCluster, type LocalCluster } from './local-cluster.ts'
import { Nodes } from './nodes.ts'

/** The GPUs of this machine, and who looks after those that were found. */
export interface MachineGpus {
  readonly devices: readonly GpuDevice[]
  readonly check: GpuCheck | undefined
}

/** Those that `resources` declare; where they say nothing of GPUs, those that are there and visible to us. */
export async function findGpus(
  config: Pick<Config, 'resources' | 'visibleGpus'>,
  clock: Clock,
  log: Log,
): Promise<MachineGpus> {
  if (declaresGpus(config.resources)) return { devices: declaredGpus(config.resources), check: undefined }
  const probe = createGpuProbe()
  const devices = await discoverGpus(probe, config.visibleGpus, log)
  if (devices.length === 0) return { devices, check: undefined }
  log.info('GPUs are offered', { gpus: devices.map(({ index, model }) => `${index} ${model}`) })
  return { devices, check: createGpuCheck({ probe, clock, log }) }
}

/** This machine as a cluster, as it was set by whoever runs it. */
export function openMachine(parts: {
  readonly config: Pick<Config, 'resources' | 'nodes'>
  readonly gpus: MachineGpus
  readonly launcher: Launcher
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly log: Log
  /** Told when there may be more room, other than by the end of a lease. */
  onRoom(): void
}): { cluster: LocalCluster; nodes: Nodes } {
  const { config, gpus, launcher, store, log, onRoom } = parts
  let opened = false
  const cluster = createLocalCluster({
    resources: config.resources,
    nodes: config.nodes,
    gpus: gpus.devices,
    gpuCheck: gpus.check,
    launcher,
    onRoom: () => {
      if (opened) onRoom()
    },
  })
  const nodes = new Nodes(cluster, store, log)
  opened = true
  return { cluster, nodes }
}
