import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Node cuts socket paths at 108 bytes, so the names in it must stay short. */
const MAX_DIRECTORY_BYTES = 80

/**
 * A short-named folder for the sockets of the engine that holds `dataDirectory`: the same one after a
 * restart, so that
 * what survived finds it again. A folder of that name that somebody else made is not used.
 */
export function openSocketDirectory(dataDirectory: string): string {
  const name = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 12)
  const base = Buffer.byteLength(tmpdir()) > MAX_DIRECTORY_BYTES - 24 ? '/tmp' : tmpdir()
  const path = join(base, `lambent-${name}`)
  try {
    mkdirSync(path, { mode: 0o711 })
    return path
  } catch {
    const found = lstatSync(path)
    const ours = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
    return ours ? path : mkdtempSync(join(base, 'lambent-'))
  }
}
