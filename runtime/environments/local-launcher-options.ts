import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Segments } from '../objects/segments.ts'
import type { Rng } from '../rng.ts'
import type { GpuDevice } from './gpu-devices.ts'
import type { IsolationChoice } from './isolation.ts'
import type { IsolationLevel } from './launcher.ts'

/** What the launcher of this machine is made of. */
export interface LocalLauncherOptions {
  /** Absolute; ours alone: an exclusive lock is held on it. */
  dataDirectory: string
  /** Absolute and exists: where `engine.sock` and `log.sock` lie. */
  socketDirectory: string
  /** What functions may import without bringing it; absent or null for nothing. */
  librariesDirectory?: string | null | undefined
  /** Where environments get folders for large values; absent: they cannot have any. */
  objects?: Pick<Segments, 'openEnvironment' | 'endEnvironment'> | undefined
  isolation: IsolationChoice
  /** Less than this is refused with EngineError 'unsupported'. */
  requireIsolation?: IsolationLevel | undefined
  /** The machine's GPUs, as far as they are known; none when absent. */
  gpus?: readonly GpuDevice[] | undefined
  clock: Clock
  rng: Rng
  log: Log
  /** False leaves bubblewrap out even where it works. */
  useBubblewrap?: boolean
  /** False leaves control groups out even where they work. */
  useControlGroups?: boolean
  /** Processes that are being started at once; twice the cores by default. */
  maxConcurrentStarts?: number
}
