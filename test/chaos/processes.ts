import { readdirSync, readFileSync } from 'node:fs'

/** A process, named so that a number that was given away again is not mistaken for it. */
interface NamedProcess {
  readonly pid: number
  readonly startTicks: number
}

/** What one engine started, as seen from outside; looked up before it is killed. */
export interface EngineTree {
  readonly members: readonly NamedProcess[]
  /** `LAMBENT_ENGINE=…` as its processes carry it; undefined when it had started none yet. */
  readonly cookie: string | undefined
}

/** Everything below `pid`, which itself is not counted. */
export function treeOf(pid: number): EngineTree {
  const all = livingProcesses()
  const below = new Set([pid])
  for (let size = 0; size !== below.size;) {
    size = below.size
    for (const one of all) if (below.has(one.parentPid)) below.add(one.pid)
  }
  below.delete(pid)
  const members = all.filter((one) => below.has(one.pid))
  const cookies = members.map((one) => cookieOf(one.pid)).filter((one) => one !== undefined)
  return { members, cookie: cookies[0] }
}

/**
 * Who is left of `tree`: its members, whoever carries its cookie, and whoever has `mark` as an argument,
 * which finds those that have cleared their variables and left their parents.
 */
export function survivorsOf(tree: EngineTree, mark: string): string[] {
  const members = new Set(tree.members.map(nameOf))
  return livingProcesses()
    .filter((one) => {
      if (members.has(nameOf(one))) return true
      if (read(one.pid, 'cmdline').split('\0').includes(mark)) return true
      return tree.cookie !== undefined && cookieOf(one.pid) === tree.cookie
    })
    .map((one) => `${one.pid} ${read(one.pid, 'cmdline').replaceAll('\0', ' ').slice(0, 200)}`)
}

/** How many processes have `mark` as an argument. */
export const countMarked = (mark: string): number =>
  livingProcesses().filter((one) => read(one.pid, 'cmdline').split('\0').includes(mark)).length

const nameOf = ({ pid, startTicks }: NamedProcess): string => `${pid}.${startTicks}`

const cookieOf = (pid: number): string | undefined =>
  /(?:^|\0)(LAMBENT_ENGINE=[^\0]+)/.exec(read(pid, 'environ'))?.[1]

/** A zombie holds nothing but its number: it does not count. */
function livingProcesses(): (NamedProcess & { parentPid: number })[] {
  const found: (NamedProcess & { parentPid: number })[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const pid = Number(name)
    const stat = read(pid, 'stat')
    // The name, in parentheses, may hold anything; what follows the last parenthesis is fields.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (stat === '' || fields[0] === 'Z' || fields[0] === 'X') continue
    found.push({ pid, parentPid: Number(fields[1]), startTicks: Number(fields[19]) })
  }
  return found
}

/** '' for a process that is gone. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}
