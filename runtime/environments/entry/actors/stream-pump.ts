import { STREAM_WINDOW } from '../../stream-items.ts'
import type { ActorCall } from './actor-call.ts'

/** Whether what a method gave is a generator whose items are to be sent one by one. */
export const isStream = (value: unknown): value is AsyncGenerator<unknown> =>
  Object.prototype.toString.call(value) === '[object AsyncGenerator]'

/**
 * Takes items from a method's generator and hands them to `send`, no more than the caller is ready to hold.
 * `run` enters the call. Ends with the generator, or with the reason of the call's signal when it aborts.
 */
export async function pumpStream(
  call: ActorCall,
  items: AsyncGenerator<unknown>,
  run: <T>(body: () => T) => T,
  send: (index: number, item: unknown) => void,
): Promise<void> {
  const { signal } = call.invocation
  let ahead = 0
  let wake: (() => void) | undefined
  call.onTaken = (count) => {
    ahead -= count
    wake?.()
  }
  signal.addEventListener('abort', () => wake?.(), { once: true })
  try {
    for (let index = 0; ; index++) {
      if (signal.aborted) throw signal.reason
      const next = await run(() => items.next())
      if (next.done === true) return
      send(index, next.value)
      ahead++
      while (ahead >= STREAM_WINDOW && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve))
    }
  } catch (error) {
    // What the generator does about its own end must not hide why it ended.
    await run(() => items.return(undefined)).catch(() => undefined)
    throw error
  } finally {
    call.onTaken = undefined
  }
}
