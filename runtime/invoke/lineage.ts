import type { FunctionLimits } from '../registry/types.ts'

/**
 * Who called whom, in the trace header: `Lineage=1:68fd508a:5|1:a87bd80c:0` says that this chain of calls has
 * run one function six times and another once. SDKs inside functions pass the header on with what they send.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
const NAME = 'Lineage='

/** So often a function may run in one chain of calls. */
const MAX_RUNS = 16
/** Functions that a header names; the one that ran longest ago is forgotten first. */
const MAX_FUNCTIONS = 32

interface Entry {
  readonly id: string
  readonly count: number
}

/** The header that a run of a function is given: one more in the chain that `traceId` tells of. */
export function withLineage(traceId: string, limits: Pick<FunctionLimits, 'functionId'>): string {
  const at = traceId.indexOf(NAME)
  if (at < 0) return `${traceId};${NAME}1:${idOf(limits)}:0`
  const { before, entries, after } = readLineage(traceId, at)
  const id = idOf(limits)
  const own = entries.find((entry) => entry.id === id)
  const others = entries.filter((entry) => entry.id !== id).slice(1 - MAX_FUNCTIONS)
  const all = [...others, { id, count: own === undefined ? 0 : own.count + 1 }]
  return `${before}${NAME}${all.map((entry) => `1:${entry.id}:${entry.count}`).join('|')}${after}`
}

/** Whether the chain that `traceId` tells of has run this function too often already. */
export function isLoop(traceId: string, limits: FunctionLimits): boolean {
  const at = traceId.indexOf(NAME)
  if (at < 0 || limits.mayLoop === true) return false
  const id = idOf(limits)
  const own = readLineage(traceId, at).entries.find((entry) => entry.id === id)
  return own !== undefined && own.count + 1 >= MAX_RUNS
}

/** The end of a function's id is random: eight digits tell the functions of one chain apart. */
const idOf = ({ functionId }: Pick<FunctionLimits, 'functionId'>): string => functionId.slice(-8)

function readLineage(
  traceId: string,
  at: number,
): { before: string; entries: readonly Entry[]; after: string } {
  const start = at + NAME.length
  const end = traceId.indexOf(';', start)
  const text = traceId.slice(start, end < 0 ? undefined : end)
  const entries = text.split('|').flatMap((part): Entry[] => {
    const match = /(?:^|:)([^:]+):(\d{1,6})$/.exec(part)
    return match === null ? [] : [{ id: match[1] ?? '', count: Number(match[2]) }]
  })
  return { before: traceId.slice(0, at), entries, after: end < 0 ? '' : traceId.slice(end) }
}
