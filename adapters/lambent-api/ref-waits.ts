import type { Context } from 'hono'
import type { Clock } from '../../runtime/clock.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { ObjectEntry } from '../../runtime/objects/object-table.ts'
import { parseDuration } from '../../runtime/sdk/duration.ts'

/** Whether the value is there within `waitMs`; null: however long it takes. */
export function settles(
  clock: Clock,
  entry: ObjectEntry,
  waitMs: number | null,
  signal: AbortSignal,
): Promise<boolean> {
  if (entry.isSettled) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = (isThere: boolean): void => {
      timer?.cancel()
      entry.ignore(waiter)
      resolve(isThere)
    }
    const waiter = { settled: () => end(true) }
    const timer = waitMs === null ? undefined : clock.after(waitMs, () => end(false))
    signal.addEventListener('abort', () => end(false), { once: true })
    entry.whenSettled(waiter)
  })
}

/** The parameter `wait`, in ms; null for ever. Throws EngineError 'invalid'. */
export function readWait(text: string): number | null {
  try {
    return parseDuration(/^\d+$/.test(text) ? Number(text) : text)
  } catch (error) {
    throw new EngineError('invalid', `Parameter wait: ${(error as Error).message}`) // a TypeError, as promised
  }
}

/** The value was not there in time. */
export const late = (context: Context, objectId: string, waitMs: number | null): Response =>
  context.json(
    {
      objectId,
      error: {
        code: 'Timeout',
        message: `The value was not there within ${waitMs} ms. The task goes on.`,
        hint: `Ask again: GET /lambent/v1/objects/${objectId}?wait=30s`,
        objectId,
      },
    },
    504,
  )
