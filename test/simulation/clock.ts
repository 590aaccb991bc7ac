import type { Clock, Timer } from '../../runtime/clock.ts'

/**
 * A clock that a simulation moves: what comes due is called at once, in order of due time. An interval that
 * was missed is not made up for, as in a process that was busy.
 */
export interface SimulatedClock extends Clock {
  advance(byMs: number): void
}

interface Due {
  at: number
  readonly order: number
  readonly everyMs: number | undefined
  readonly call: () => void
}

/** A `SimulatedClock` that starts at the same moment every time. */
export function simulatedClock(): SimulatedClock {
  let nowMs = 0
  let orders = 0
  const waiting = new Set<Due>()
  const start = (delayMs: number, call: () => void, everyMs?: number): Timer => {
    const due = { at: nowMs + Math.max(0, delayMs), order: orders++, everyMs, call }
    waiting.add(due)
    return { cancel: () => void waiting.delete(due) }
  }
  const next = (limit: number): Due | undefined => {
    let first: Due | undefined
    for (const due of waiting) {
      if (due.at > limit) continue
      if (first === undefined || due.at < first.at || (due.at === first.at && due.order < first.order))
        first = due
    }
    return first
  }
  return {
    nowMs: () => 1_700_000_000_000 + Math.floor(nowMs),
    monotonicMs: () => nowMs,
    after: (delayMs, callback) => start(delayMs, callback),
    every: (intervalMs, callback) => start(intervalMs, callback, Math.max(1, intervalMs)),
    sleep: (delayMs) => new Promise((resolve) => void start(delayMs, resolve)),
    advance(byMs) {
      const target = nowMs + byMs
      for (let due = next(target); due !== undefined; due = next(target)) {
        nowMs = Math.max(nowMs, due.at)
        if (due.everyMs === undefined) waiting.delete(due)
        else due.at = target + due.everyMs
        due.call()
      }
      nowMs = target
    },
  }
}

/** The clock of one life of an engine: when the process is gone, none of its timers rings any more. */
export function mortalClock(clock: Clock): { readonly clock: Clock; readonly end: () => void } {
  let alive = true
  const timers = new Set<Timer>()
  const ifAlive = (call: () => void) => () => {
    if (alive) call()
  }
  const keep = (timer: Timer): Timer => {
    timers.add(timer)
    return {
      cancel: () => {
        timers.delete(timer)
        timer.cancel()
      },
    }
  }
  const after = (delayMs: number, call: () => void): Timer => keep(clock.after(delayMs, ifAlive(call)))
  return {
    clock: {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after,
      every: (intervalMs, call) => keep(clock.every(intervalMs, ifAlive(call))),
      sleep: (delayMs) => new Promise((resolve) => void after(delayMs, resolve)),
    },
    end() {
      alive = false
      for (const timer of timers) timer.cancel()
      timers.clear()
    },
  }
}
