/** One thing that ran, or runs: a bar in an environment's row. Times are Unix epoch ms. */
export interface TimelineSlice {
  readonly runId: string
  readonly name: string
  readonly kind: string
  readonly functionName: string
  readonly environmentId: string
  readonly acceptedAtMs: number
  readonly startedAtMs: number
  readonly durationMs: number
  /** Loading of the code before it; null where the environment was warm. */
  readonly initMs: number | null
  /** Whatever else is worth reading in the details of a bar. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>
}

/** An event of the Trace Event Format; times in microseconds since the trace's first one. */
export interface TraceEvent {
  readonly name: string
  /** `X` a bar, `b` and `e` the ends of a wait, `M` a name or an order. */
  readonly ph: 'X' | 'b' | 'e' | 'M'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly cat?: string
  readonly id?: string
  readonly args?: Readonly<Record<string, unknown>>
}

/** A whole trace: what Perfetto and chrome://tracing open. */
export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[]
  readonly displayTimeUnit: 'ms'
  readonly otherData: Readonly<Record<string, string>>
}

/** Starts are kept in whole milliseconds: bars that overlap by less than this did not. */
const ROUNDING_MS = 2
const US_PER_MS = 1000

/**
 * The trace of what ran: a process for every function, a row for every environment of it, and in it a bar for
 * loading and one for every run; waits are spans of their own above. What one environment ran at once gets
 * further rows, because bars of one row must not cross.
 *
 * @see https://perfetto.dev/docs/getting-started/other-formats (the Trace Event Format)
 */
export function chromeTrace(slices: readonly TimelineSlice[]): ChromeTrace {
  const ordered = slices.toSorted(
    (left, right) => left.startedAtMs - right.startedAtMs || (left.runId < right.runId ? -1 : 1),
  )
  const originMs = ordered.reduce((first, slice) => Math.min(first, beginning(slice)), Infinity)
  const rows = new Rows()
  const bars = ordered.flatMap((slice) => {
    const { row, shiftMs } = rows.place(slice)
    return eventsOf(slice, row, shiftMs, originMs)
  })
  return {
    traceEvents: [...rows.names(), ...bars.toSorted((left, right) => left.ts - right.ts)],
    displayTimeUnit: 'ms',
    otherData: {
      source: 'lambent',
      startedAt: new Date(Number.isFinite(originMs) ? originMs : 0).toISOString(),
    },
  }
}

const beginning = ({ acceptedAtMs, startedAtMs, initMs }: TimelineSlice): number =>
  Math.min(acceptedAtMs, startedAtMs - (initMs ?? 0))

interface Row {
  readonly pid: number
  readonly tid: number
  readonly name: string
  endMs: number
}

/** Which bar goes where. */
class Rows {
  readonly #processes = new Map<string, number>()
  readonly #lanes = new Map<string, Row[]>()
  #nextTid = 1

  /** The first row of its environment that is free by then; `shiftMs` makes up for rounded starts. */
  place(slice: TimelineSlice): { row: Row; shiftMs: number } {
    const { functionName, environmentId } = slice
    const pid = this.#processes.get(functionName) ?? this.#processes.size + 1
    this.#processes.set(functionName, pid)
    const key = `${pid} ${environmentId}`
    const lanes = this.#lanes.get(key) ?? []
    this.#lanes.set(key, lanes)
    const startMs = slice.startedAtMs - (slice.initMs ?? 0)
    let row = lanes.find(({ endMs }) => endMs - startMs < ROUNDING_MS)
    if (row === undefined) {
      const number = lanes.length === 0 ? '' : ` (${lanes.length + 1})`
      row = { pid, tid: this.#nextTid++, name: `${environmentId || 'no environment'}${number}`, endMs: 0 }
      lanes.push(row)
    }
    const shiftMs = Math.max(0, row.endMs - startMs)
    row.endMs = slice.startedAtMs + shiftMs + slice.durationMs
    return { row, shiftMs }
  }

  names(): TraceEvent[] {
    const named = (name: string, pid: number, tid: number, args: TraceEvent['args'] = {}): TraceEvent => ({
      ...{ name, ph: 'M', pid, tid, ts: 0, args },
    })
    const processes = Array.from(this.#processes, ([name, pid]) => named('process_name', pid, 0, { name }))
    const threads = [...this.#lanes.values()].flat().flatMap(({ pid, tid, name }) => [
      named('thread_name', pid, tid, { name }),
      // by first use, as they are numbered, not by name
      named('thread_sort_index', pid, tid, { sort_index: tid }),
    ])
    return [...processes, ...threads]
  }
}

function eventsOf(slice: TimelineSlice, row: Row, shiftMs: number, originMs: number): TraceEvent[] {
  const { runId, name, kind, acceptedAtMs, startedAtMs, durationMs, initMs, detail } = slice
  const { pid, tid } = row
  const at = (timeMs: number): number => Math.max(0, Math.round((timeMs - originMs) * US_PER_MS))
  const startMs = startedAtMs + shiftMs
  const initAtMs = startMs - (initMs ?? 0)
  const events: TraceEvent[] = []
  const waitMs = initAtMs - acceptedAtMs
  if (waitMs >= 1) {
    const wait = { name: `${name} waits`, cat: 'wait', id: runId, pid, tid }
    events.push({ ...wait, ph: 'b', ts: at(acceptedAtMs), args: { runId } })
    events.push({ ...wait, ph: 'e', ts: at(initAtMs) })
  }
  if (initMs !== null && initMs > 0)
    events.push({
      name: 'load',
      ph: 'X',
      cat: 'load',
      pid,
      tid,
      ts: at(initAtMs),
      dur: at(startMs) - at(initAtMs),
    })
  const dur = Math.max(0, at(startMs + durationMs) - at(startMs))
  const args = { runId, waitMs: Math.max(0, waitMs), ...detail }
  events.push({ name, ph: 'X', cat: kind, pid, tid, ts: at(startMs), dur, args })
  return events
}
