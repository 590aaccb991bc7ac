import type { WindowState } from '../../runtime/registry/event-source-record.ts'

/** A state larger than this ends its window before its time. */
const MAX_STATE_BYTES = 1_048_576

/** When the window begins in which a record arrived: windows lie end to end from the epoch on. */
export const windowStart = (arrivedAtMs: number, windowMs: number): number =>
  Math.floor(arrivedAtMs / windowMs) * windowMs

/** Members that the event of a window has beside its records. */
export const windowMembers = (
  { startMs, state }: WindowState,
  windowMs: number,
  end: 'open' | 'final' | 'early',
  of: { readonly shardId: string; readonly sourceArn: string },
): Record<string, unknown> => ({
  window: { start: seconds(startMs), end: seconds(startMs + windowMs) },
  state,
  shardId: of.shardId,
  eventSourceARN: of.sourceArn,
  isFinalInvokeForWindow: end !== 'open',
  isWindowTerminatedEarly: end === 'early',
})

/** The window after a function has answered: what it gathered so far, and whether that is too much. */
export function afterAnswer(window: WindowState, answer: Buffer): { window: WindowState; tooLarge: boolean } {
  const state = stateOf(answer)
  const tooLarge = Buffer.byteLength(JSON.stringify(state)) > MAX_STATE_BYTES
  return { window: { startMs: window.startMs, state }, tooLarge }
}

function stateOf(answer: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(answer.toString('utf8'))
    return typeof value === 'object' && value !== null && 'state' in value ? (value.state ?? {}) : {}
  } catch {
    return {}
  }
}

const seconds = (timeMs: number): string => new Date(timeMs).toISOString().replace('.000Z', 'Z')
