/**
 * Time inside an execution environment. Everything is bound before user code loads, so fake timers in a
 * handler do not stop the environment's own.
 */
const { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: startImmediate } = globalThis
const startTick = process.nextTick.bind(process)
const wallNow = Date.now
const monotonic = performance.now.bind(performance)

/** Node's timers overflow past 2^31-1 ms and would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** Unix epoch, whole milliseconds. */
export const nowMs = (): number => wallNow()

/** Milliseconds with a fraction since an arbitrary origin; never goes back. */
export const monotonicMs = (): number => monotonic()

/** Calls `callback` once after `delayMs` without keeping the process alive; the result cancels it. */
export function after(delayMs: number, callback: () => void): () => void {
  const handle = startTimer(callback, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS))
  handle.unref()
  return () => stopTimer(handle)
}

/** Calls `callback` in the next turn of the event loop, behind microtasks and unhandled rejections. */
export const nextTurn = (callback: () => void): void => {
  startImmediate(callback)
}

/** Calls `callback` as soon as what runs has run, in front of timers and of what comes in. */
export const soon = (callback: () => void): void => {
  startTick(callback)
}

/** Blocks the thread without using the CPU. */
export const pauseThread = (delayMs: number): void => {
  Atomics.wait(PAUSE_CELL, 0, 0, delayMs)
}

const PAUSE_CELL = new Int32Array(new SharedArrayBuffer(4))
