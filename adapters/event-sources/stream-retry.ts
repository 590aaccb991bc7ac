import type { EventSourceSettings } from '../../runtime/registry/event-source-record.ts'

/** A batch on its way, and how often the function has failed on it so far. */
export interface PendingBatch<Item> {
  readonly records: readonly Item[]
  readonly failures: number
}

/** What becomes of a batch after a failure; records that it does not name are done. */
export type FailureStep<Item> =
  | { readonly kind: 'retry'; readonly batch: PendingBatch<Item> }
  /** What is left, or two halves, one after the other. A split is no attempt. */
  | { readonly kind: 'split'; readonly batches: readonly PendingBatch<Item>[] }
  | { readonly kind: 'give-up'; readonly batch: PendingBatch<Item> }

/**
 * What comes after a function failed on a batch from the record at `firstFailed` on (0: on all of it).
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
 */
export function afterFailure<Item>(
  { records, failures }: PendingBatch<Item>,
  firstFailed: number,
  { bisect, maxRetries }: Pick<EventSourceSettings, 'bisect' | 'maxRetries'>,
): FailureStep<Item> {
  const rest = records.slice(firstFailed)
  // what is left of a batch that got further is a batch of its own, with all of its attempts
  if (firstFailed > 0) return { kind: 'split', batches: [{ records: rest, failures: 0 }] }
  if (bisect && rest.length > 1) {
    const middle = Math.ceil(rest.length / 2)
    const halves = [rest.slice(0, middle), rest.slice(middle)]
    return { kind: 'split', batches: halves.map((half) => ({ records: half, failures })) }
  }
  const batch = { records: rest, failures: failures + 1 }
  return maxRetries !== null && batch.failures > maxRetries
    ? { kind: 'give-up', batch }
    : { kind: 'retry', batch }
}

/** Records too old to be processed, which are the first, and the others. */
export function splitExpired<Item extends { readonly arrivedAtMs: number }>(
  records: readonly Item[],
  nowMs: number,
  maxAgeMs: number | null,
): { readonly expired: readonly Item[]; readonly live: readonly Item[] } {
  if (maxAgeMs === null) return { expired: [], live: records }
  const firstLive = records.findIndex(({ arrivedAtMs }) => nowMs - arrivedAtMs < maxAgeMs)
  const count = firstLive < 0 ? records.length : firstLive
  return { expired: records.slice(0, count), live: records.slice(count) }
}

/** Milliseconds until the first of these records is too old; undefined when none ever is. */
export function expiresInMs(
  records: readonly { readonly arrivedAtMs: number }[],
  nowMs: number,
  maxAgeMs: number | null,
): number | undefined {
  const [first] = records
  return maxAgeMs === null || first === undefined
    ? undefined
    : Math.max(0, first.arrivedAtMs + maxAgeMs - nowMs)
}
