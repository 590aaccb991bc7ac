/**
 * What the engine and its spawner say to each other: one JSON object a line over the spawner's stdin and
 * stdout. The end of stdin means that the engine is gone. This file is used on both sides and imports
 * nothing of ours.
 */

/** First line from the engine. */
export interface SpawnerSettings {
  /** `<data directory id>.<boot id>`; every process carries it as LAMBENT_ENGINE. */
  cookie: string
  /** The engine's `log.sock`. */
  logSocket: string
  cgroup: CgroupPlace | null
}

/** Where control groups of environments are made, found and tried by the engine. */
export interface CgroupPlace {
  version: 1 | 2
  /** Folder of the memory hierarchy (version 1) or of the unified one (version 2). */
  memory: string
  /** Folder of the pids hierarchy; the same as `memory` in version 2; null where it is not writable. */
  pids: string | null
  /** Leads the name of every group of this data directory, so that leftovers are known. */
  prefix: string
}

/**
 * How the tree of a process hangs together.
 * `bubblewrap`: fd 3 tells the pid of the namespace's init; the program is its child.
 * `unshare`: the only child of the started process is the namespace's init, which takes its log as fd 3;
 * the program is its child.
 * `group`: no namespace; the started process is the program.
 */
export type TreeShape = 'bubblewrap' | 'unshare' | 'group'

/** Start a process; answered by `started` or `failed`. */
export interface StartRequest {
  kind: 'start'
  id: string
  token: string
  command: string
  args: string[]
  environment: Record<string, string>
  workingDirectory: string
  shape: TreeShape
  /** File to open as fd 4, a seccomp program for bubblewrap; null for none. */
  seccompPath: string | null
  /** User that the program runs as when it is one of its own; null when it shares the engine's. */
  uid: number | null
  /** Size of the JavaScript heap the program was told, MB; null when it decides itself. */
  heapLimitMb: number | null
}

/** Set limits; answered by `limited` with the same sequence. */
export interface LimitRequest {
  kind: 'limit'
  id: string
  sequence: number
  memoryMb: number | null
  maxProcesses: number
  maxOpenFiles: number
}

/** Every line from the engine after the first. */
export type SpawnerRequest =
  StartRequest | LimitRequest | { kind: 'kill'; id: string } | { kind: 'terminate'; id: string }

/** Every line from the spawner. */
export type SpawnerEvent =
  /** The settings are in force and leftovers of an earlier engine are gone. */
  | { kind: 'ready'; swept: number }
  | { kind: 'started'; id: string; pid: number; startTicks: number }
  | { kind: 'failed'; id: string; message: string }
  | { kind: 'limited'; id: string; sequence: number; problem: string | null }
  /** The whole tree is gone. */
  | {
      kind: 'exited'
      id: string
      code: number | null
      signal: string | null
      memory: MemoryCause
      /** Most memory it was seen with; its limit when memory ended it. */
      peakBytes: number
    }
  | { kind: 'note'; message: string }

/** What decided that memory ended a process; empty when it was something else. */
export type MemoryCause = 'cgroup' | 'watchdog' | 'heap' | ''

/** A request line past this is a broken peer. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024

/** Cuts a byte stream into lines. Throws a RangeError past MAX_LINE_BYTES without a line feed. */
export function createLineReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      const line = data.toString('utf8', 0, end)
      data = data.subarray(end + 1)
      if (line !== '') onLine(line)
    }
    if (data.length > MAX_LINE_BYTES) throw new RangeError(`A line is over ${MAX_LINE_BYTES} bytes.`)
    rest = Buffer.from(data)
  }
}
