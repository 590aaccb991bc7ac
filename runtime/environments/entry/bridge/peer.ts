import fs from 'node:fs'
import type { Socket } from 'node:net'

/** Connections of the namespace; programs that speak both families show up in the second. */
const LISTENING = '0A'
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']

interface Peer {
  readonly uid: number
  readonly inode: string
}

/**
 * Whether the other end of an accepted loopback connection belongs to this environment. Loopback is shared
 * with the machine unless the environment has a network of its own, so the kernel is asked whose the other
 * end is: it must be our user's, and where environments share one user, a process that we can see must hold
 * it. Without /proc nothing can be told, and everybody is let in.
 */
export function isOwnPeer(socket: Socket, sharesUser: boolean): boolean {
  const { remotePort, localPort } = socket
  const ownUid = process.getuid?.()
  if (ownUid === undefined || remotePort === undefined || localPort === undefined) return true
  const peer = findPeer(remotePort, localPort)
  if (peer === 'no table') return true
  if (peer === undefined || peer.uid !== ownUid) return false
  return !sharesUser || isHeldHere(peer.inode)
}

/**
 * Whether somebody of this environment listens for connections to `address` on `port`. The same is asked of
 * the kernel as for a peer; where it cannot tell, the listener counts as ours.
 */
export function isOwnListener(address: string, port: number, sharesUser: boolean): boolean {
  const ownUid = process.getuid?.()
  if (ownUid === undefined) return true
  const suffix = `:${hex(port)}`
  const places = placesOf(address)
  let read = false
  for (const lines of tables()) {
    read = true
    for (const line of lines) {
      if (!line.includes(suffix)) continue
      const [, local = '', , state = '', , , , uid = '', , inode = ''] = line.trim().split(/\s+/)
      if (state !== LISTENING || !local.endsWith(suffix)) continue
      if (!places.includes(local.slice(0, -suffix.length))) continue
      // There is no other: the kernel lets only one listen for a connection.
      return Number(uid) === ownUid && (!sharesUser || isHeldHere(inode))
    }
  }
  return !read
}

/** Local addresses, as the kernel spells them, that take connections to an address of version 4. */
function placesOf(address: string): string[] {
  const bytes = address.split('.').map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0'))
  const little = bytes.toReversed().join('')
  return [little, `0000000000000000FFFF0000${little}`, '0'.repeat(8), '0'.repeat(32)]
}

function findPeer(remotePort: number, localPort: number): Peer | 'no table' | undefined {
  const from = `:${hex(remotePort)}`
  const to = `:${hex(localPort)}`
  let read = false
  for (const lines of tables()) {
    read = true
    for (const line of lines) {
      if (!line.includes(from)) continue
      const [, local = '', remote = '', , , , , uid = '', , inode = ''] = line.trim().split(/\s+/)
      if (local.endsWith(from) && remote.endsWith(to)) return { uid: Number(uid), inode }
    }
  }
  return read ? undefined : 'no table'
}

/** The lines of those tables that there are. */
function tables(): string[][] {
  return TABLES.flatMap((table) => {
    try {
      return [fs.readFileSync(table, 'latin1').split('\n')]
    } catch {
      return []
    }
  })
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')

/** Whether a process that can be seen from here has the socket open. */
function isHeldHere(inode: string): boolean {
  const wanted = `socket:[${inode}]`
  return entries('/proc').some(
    (pid) =>
      /^\d+$/.test(pid) &&
      entries(`/proc/${pid}/fd`).some((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`) === wanted),
  )
}

function entries(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return [] // gone, or somebody else's
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ''
  }
}
