import { readdirSync, readFileSync } from 'node:fs'

/**
 * Reading /proc. Everything here answers undefined or nothing for a process that is gone: that is an
 * answer, not an error.
 */

/** What /proc/PID/stat says of a process. */
export interface ProcessStat {
  readonly pid: number
  readonly parentPid: number
  readonly groupId: number
  /** A zombie is gone for our purposes: it holds nothing but its number. */
  readonly zombie: boolean
  /** Start time in clock ticks since boot: with the pid it names a process for good. */
  readonly startTicks: number
}

/** The process with this number; undefined when there is none. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name, in parentheses, may hold anything; what follows the last parenthesis is numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    pid,
    parentPid: Number(fields[1]),
    groupId: Number(fields[2]),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    startTicks: Number(fields[19]),
  }
}

/** Every process that is to be seen; none on a platform without /proc. */
export function listPids(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0)
  } catch {
    // No /proc on this platform.
    return []
  }
}

/** Pids of the processes that any thread of `pid` started and that still have it as their parent. */
export function childrenOf(pid: number): number[] {
  let threads: string[]
  try {
    threads = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  const lists = threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`))
  if (lists.some((list) => list === undefined) && lists.every((list) => list === undefined))
    return listPids().filter((candidate) => readStat(candidate)?.parentPid === pid)
  return lists.flatMap((list) => (list ?? '').split(' ').filter(Boolean).map(Number))
}

/** All processes below `roots`, the roots included, found in one pass over /proc. */
export function descendants(roots: readonly number[]): Map<number, number[]> {
  const children = new Map<number, number[]>()
  for (const pid of listPids()) {
    const stat = readStat(pid)
    if (stat === undefined || stat.zombie) continue
    const siblings = children.get(stat.parentPid)
    if (siblings === undefined) children.set(stat.parentPid, [pid])
    else siblings.push(pid)
  }
  return new Map(
    roots.map((root) => {
      const tree = [root]
      for (let index = 0; index < tree.length; index++) tree.push(...(children.get(tree[index] ?? 0) ?? []))
      return [root, tree]
    }),
  )
}

/** Resident bytes, and how many of them belong to files and shared memory. */
export function readResident(pid: number): { residentBytes: number; sharedBytes: number } | undefined {
  const fields = read(`/proc/${pid}/statm`)?.split(' ')
  if (fields === undefined) return undefined
  return { residentBytes: Number(fields[1]) * PAGE_BYTES, sharedBytes: Number(fields[2]) * PAGE_BYTES }
}

/** Bytes of a process's data segment as RLIMIT_DATA counts them. */
export function readDataBytes(pid: number): number | undefined {
  const match = /^VmData:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')
  return match === null ? undefined : Number(match[1]) * 1024
}

/** The variables a process was started with; undefined when it is gone or belongs to somebody else. */
export function readVariables(pid: number): Set<string> | undefined {
  const text = read(`/proc/${pid}/environ`)
  return text === undefined ? undefined : new Set(text.split('\0'))
}

/** Whether exactly this process still runs. A zombie does not. */
export function isAlive(pid: number, startTicks: number): boolean {
  const stat = readStat(pid)
  return stat !== undefined && !stat.zombie && stat.startTicks === startTicks
}

/** Node tells no page size; every kernel we run on uses 4 KiB unless it is an arm64 built for more. */
const PAGE_BYTES = pageBytes()

function pageBytes(): number {
  const statm = read('/proc/self/statm')?.split(' ')
  const status = /^VmSize:\s+(\d+) kB/m.exec(read('/proc/self/status') ?? '')
  if (statm === undefined || status === null) return 4096
  const ratio = (Number(status[1]) * 1024) / Number(statm[0])
  return [4096, 16_384, 65_536].find((size) => ratio < size * 1.5) ?? 4096
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
