import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readDataBytes } from './proc.ts'

/** Limits of one process that its later children inherit; null leaves one as it is. */
export interface ResourceLimits {
  /** Memory on top of what the idle process counts already. */
  dataMb: number | null
  /** Only sound for a process whose user is its own. */
  maxProcesses: number | null
  maxOpenFiles: number
}

/** On top of MemorySize: what the allocator holds and does not use. */
const DATA_MARGIN = 1.1

/**
 * Sets limits of a running process with `prlimit`. Nothing is started when they hold already.
 * RLIMIT_DATA counts the code range of newer Node versions (573 MB before a line has run in 24), so what
 * the idle process counts is read and added. RLIMIT_AS is never used: WebAssembly alone reserves gigabytes
 * of address space.
 */
export async function applyLimits(pid: number, uid: number | null, limits: ResourceLimits): Promise<void> {
  const changes: string[] = []
  const current = readLimits(pid)
  const { openFiles } = current
  const wanted =
    process.getuid?.() === 0 ? limits.maxOpenFiles : Math.min(limits.maxOpenFiles, openFiles.hard)
  if (openFiles.soft !== wanted || openFiles.hard !== wanted) changes.push(`--nofile=${wanted}:${wanted}`)
  if (current.core !== 0) changes.push('--core=0:0')
  const idleBytes = limits.dataMb === null ? undefined : readDataBytes(pid)
  if (limits.dataMb !== null && idleBytes !== undefined) {
    const bytes = Math.round(idleBytes + limits.dataMb * 1024 * 1024 * DATA_MARGIN)
    changes.push(`--data=${bytes}:${bytes}`)
  }
  if (limits.maxProcesses !== null) changes.push(`--nproc=${limits.maxProcesses}:${limits.maxProcesses}`)
  if (changes.length === 0) return
  await runPrlimit(uid, ['--pid', String(pid), ...changes])
}

/**
 * A process may limit others of its own user: even root needs a capability that containers leave out to
 * limit any.
 */
function runPrlimit(uid: number | null, args: readonly string[]): Promise<void> {
  const user = String(uid)
  const [command = '', ...rest] =
    uid === null
      ? ['prlimit', ...args]
      : ['setpriv', '--reuid', user, '--regid', user, '--clear-groups', 'prlimit', ...args]
  return new Promise((resolve, reject) => {
    execFile(command, rest, { env: { PATH: TOOL_PATH } }, (error, _stdout, stderr) => {
      if (error === null) resolve()
      // Without the program the watchdog is what bounds memory and processes; the report says so.
      else if (error.code === 'ENOENT') resolve()
      else reject(new Error(stderr.trim() || error.message))
    })
  })
}

/** Where the programs of util-linux lie. */
const TOOL_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

function readLimits(pid: number): { openFiles: { soft: number; hard: number }; core: number } {
  const text = readFileSync(`/proc/${pid}/limits`, 'latin1')
  const files = /^Max open files\s+(\d+)\s+(\d+)/m.exec(text)
  const core = /^Max core file size\s+\S+\s+(\S+)/m.exec(text)
  return {
    openFiles: { soft: Number(files?.[1] ?? 0), hard: Number(files?.[2] ?? 0) },
    core: Number(core?.[1] ?? 0),
  }
}
