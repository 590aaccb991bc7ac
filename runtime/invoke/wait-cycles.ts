import type { Invocation } from '../environments/invocation.ts'
import type { ObjectEntry } from '../objects/object-table.ts'
import { CodeHoldings, type RefWait } from './holdings.ts'
import { cycleFailure, type EncodeFailure } from './task-errors.ts'
import { TaskRun } from './task-run.ts'

const ERROR_FLAG = 1

/**
 * Finds waits that can never end: code that waits for what can only come from code that waits in turn, with
 * nobody among them who could go on. One of the waits is answered with an error; the others go on from there.
 */
export function breakCycles(runs: ReadonlySet<TaskRun>, encode: EncodeFailure): number {
  const children = new Map<Invocation, TaskRun[]>()
  const waiting: RefWait[] = []
  for (const run of runs) {
    if (run.parent !== undefined) {
      const known = children.get(run.parent)
      if (known === undefined) children.set(run.parent, [run])
      else known.push(run)
    }
    waiting.push(...waitsOf(run.invocation))
  }
  let broken = 0
  for (const wait of waiting) {
    if (wait.entry.isSettled || wait.invocation === undefined || !wait.invocation.isBlocked) continue
    if (!isStuck(wait.invocation, children)) continue
    wait.fail(encode(cycleFailure(wait.entry.id)), ERROR_FLAG)
    broken += 1
    break // the others may go on now: they are looked at again
  }
  return broken
}

/** Whether nothing that `first` could wait for can go on. */
function isStuck(first: Invocation, children: ReadonlyMap<Invocation, readonly TaskRun[]>): boolean {
  const seen = new Set<Invocation | TaskRun>([first])
  const open: (Invocation | TaskRun)[] = [first]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const successors = next instanceof TaskRun ? ofArguments(next) : ofCode(next, children)
    if (successors === undefined) return false
    for (const one of successors) {
      if (seen.has(one)) continue
      seen.add(one)
      open.push(one)
    }
  }
  return true
}

/** What the code of an invocation may wait for; undefined when it can go on. */
function ofCode(
  invocation: Invocation,
  children: ReadonlyMap<Invocation, readonly TaskRun[]>,
): (Invocation | TaskRun)[] | undefined {
  if (!invocation.isBlocked) return undefined
  const found: (Invocation | TaskRun)[] = []
  for (const { entry } of waitsOf(invocation)) {
    const maker = makerOf(entry)
    if (maker === undefined) return undefined
    found.push(maker)
  }
  for (const child of children.get(invocation) ?? []) found.push(child.invocation ?? child)
  return found.length === 0 ? undefined : found
}

/** What a task that has not begun waits for; undefined when it can go on. */
function ofArguments(run: TaskRun): (Invocation | TaskRun)[] | undefined {
  if (run.invocation !== undefined) return [run.invocation]
  const makers = run.waitsFor.map(makerOf)
  const known = makers.filter((maker) => maker !== undefined)
  return known.length === 0 || known.length < makers.length ? undefined : known
}

function makerOf({ producer }: ObjectEntry): Invocation | TaskRun | undefined {
  return producer instanceof TaskRun ? (producer.invocation ?? producer) : undefined
}

function waitsOf(invocation: Invocation | undefined): Iterable<RefWait> {
  const holdings = invocation?.holdings
  return holdings instanceof CodeHoldings ? holdings.waits : []
}
