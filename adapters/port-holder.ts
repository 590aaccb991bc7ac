import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** In /proc/net/tcp a listening socket has this state. */
const LISTENING = '0A'

/**
 * Who listens on a TCP port of this machine, in words for an error message: `process 412 (node server.js)`.
 * Looks through /proc where there is one; elsewhere says how to find out.
 */
export function describePortHolder(port: number): string {
  try {
    const inodes = listeningInodes(port)
    const pid = inodes.size === 0 ? undefined : holderOf(inodes)
    if (pid !== undefined) return `process ${pid} (${commandOf(pid)})`
  } catch {
    // No /proc on this platform: the person can look, we cannot.
  }
  return `another process (find it with: lsof -nP -iTCP:${port} -sTCP:LISTEN)`
}

function listeningInodes(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOrEmpty(table).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === LISTENING && local.endsWith(`:${wanted}`) && inode !== undefined) inodes.add(inode)
    }
  }
  return inodes
}

function holderOf(inodes: ReadonlySet<string>): string | undefined {
  const sockets = new Set([...inodes].map((inode) => `socket:[${inode}]`))
  return readdirSync('/proc').find(
    (name) => /^\d+$/.test(name) && openFiles(name).some((target) => sockets.has(target)),
  )
}

/** Processes of other users cannot be looked into; they simply have no open files for us. */
function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOrEmpty(`/proc/${pid}/fd/${fd}`))
  } catch {
    return []
  }
}

function commandOf(pid: string): string {
  const command = readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
  return command === '' ? 'unknown command' : command.slice(0, 200)
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
