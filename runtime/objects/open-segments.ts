import { totalmem } from 'node:os'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import { SegmentFolders } from './segment-folders.ts'
import { Segments } from './segments.ts'

/** Shared memory that others must be able to have, and disk. */
const MEMORY_SHARE = 0.5
const FREE_SHARE = 0.8
const DISK_SHARE = 0.5

/**
 * Opens the place of large values, as large as is asked for or as this machine allows: half of the shared
 * memory and of the machine's memory at most, and half of the disk that is free. The caller holds the lock on
 * the data directory.
 */
export function openSegments(
  config: Pick<Config, 'dataDirectory' | 'objectStoreMb' | 'objectSpillMb'>,
  { clock, rng, log }: { clock: Clock; rng: Rng; log: Log },
): Segments {
  const folders = new SegmentFolders({ dataDirectory: config.dataDirectory, rng, log })
  const memory = folders.space('memory')
  const disk = folders.space('disk')
  const wanted = config.objectStoreMb === undefined ? undefined : config.objectStoreMb * 1e6
  const room = Math.floor(memory.freeBytes * FREE_SHARE)
  if (wanted !== undefined && wanted > room && folders.hasMemory)
    log.warn('shared memory is smaller than the object store that is asked for', {
      askedBytes: wanted,
      usedBytes: room,
    })
  const usual = Math.min(memory.totalBytes, totalmem()) * MEMORY_SHARE
  const limits = {
    memory: Math.floor(Math.min(wanted ?? usual, room)),
    disk:
      config.objectSpillMb === undefined
        ? Math.floor(disk.freeBytes * DISK_SHARE)
        : config.objectSpillMb * 1e6,
  }
  return new Segments({ folders, limits, clock, log })
}
