import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyRing } from '../../runtime/keys/key-ring.ts'
import { shellLines } from '../../runtime/keys/shell-lines.ts'
import type { Log } from '../../runtime/log.ts'
import { DEFAULT_ACCOUNT } from '../lambda/scope.ts'

/** Name of the file in the data directory; only its owner may read it. */
export const FIRST_KEY_FILE = 'first-key'

/**
 * Where keys are asked for and nobody has one that administers, makes one and writes it to a file that only
 * the engine's user may read, as lines for a shell. Not to the log: logs are kept, sent on and read by many.
 */
export async function ensureFirstKey(parts: {
  keys: KeyRing
  dataDirectory: string
  log: Log
}): Promise<void> {
  const { keys, dataDirectory, log } = parts
  if (keys.hasAdmin) return
  const path = join(dataDirectory, FIRST_KEY_FILE)
  const wish = { name: 'first', account: DEFAULT_ACCOUNT, scopes: ['admin'] }
  // before the commit: a key that is there but that nobody was told of would lock everybody out
  const { keyId } = await keys.create(wish, (key) => {
    rmSync(path, { force: true })
    writeFileSync(path, `${FIRST_LINE}\n${shellLines(key)}\n`, { mode: 0o600, flag: 'wx' })
  })
  log.warn('first key made', { keyId, path, use: `eval "$(cat ${path})"` })
}

const FIRST_LINE = '# The first key of this Lambent: it may do everything. Keep it safe and delete this file.'
