import { EngineError } from '../errors.ts'
import { MAX_SEGMENT_BYTES } from './location.ts'

/** What segments take, and may take. */
export interface SegmentUsage {
  readonly count: number
  readonly memory: { readonly usedBytes: number; readonly limitBytes: number; readonly spareBytes: number }
  readonly disk: { readonly usedBytes: number; readonly limitBytes: number }
}

/** A value that is not there any more; detail 'object-lost'. */
export const objectLost = (reason: string): EngineError =>
  new EngineError('not-found', `The object is lost: ${reason}.`, {
    detail: 'object-lost',
    hint: 'Make it again: run the task that made it, or put it once more.',
  })

/** A value that no segment takes. */
export const objectTooLarge = (sizeBytes: number): EngineError =>
  new EngineError('too-large', `An object of ${sizeBytes} bytes is larger than ${MAX_SEGMENT_BYTES}.`, {
    hint: 'Cut it into several objects.',
  })

/** Neither memory nor disk takes this much more; detail 'object-store-full'. */
export function storeFull(sizeBytes: number, { memory, disk }: SegmentUsage): EngineError {
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  return new EngineError(
    'throttled',
    `There is no room for an object of ${megabytes(sizeBytes)}: ${megabytes(memory.usedBytes)} of ` +
      `${megabytes(memory.limitBytes)} of shared memory and ${megabytes(disk.usedBytes)} of ` +
      `${megabytes(disk.limitBytes)} of disk are taken.`,
    { detail: 'object-store-full', hint: FULL_HINT },
  )
}

/** Small values, which the engine keeps itself, are too many; detail 'object-store-full'. */
export const valuesFull = (keptBytes: number, limitBytes: number): EngineError =>
  new EngineError(
    'throttled',
    `Small objects take ${keptBytes} bytes already, of ${limitBytes} that they may take in all.`,
    { detail: 'object-store-full', hint: 'Release refs that are not needed.' },
  )

const FULL_HINT =
  'Release refs that are not needed, or raise LAMBENT_OBJECT_STORE_MB and LAMBENT_OBJECT_SPILL_MB.'
