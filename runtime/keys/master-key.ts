import { createCipheriv, createDecipheriv } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '../errors.ts'
import type { Rng } from '../rng.ts'

/** Name of the file in the data directory; only its owner may read it. */
export const MASTER_KEY_FILE = 'master.key'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals secrets with a key that lies beside the database, in a file of its own: a copy of the database alone
 * gives no secret away. Whoever may read the whole data directory may read them.
 */
export class MasterKey {
  readonly #key: Buffer
  readonly #rng: Rng

  private constructor(key: Buffer, rng: Rng) {
    this.#key = key
    this.#rng = rng
  }

  /** The data directory's master key; undefined when it has none. Throws EngineError 'unavailable'. */
  static read(dataDirectory: string, rng: Rng): MasterKey | undefined {
    const path = join(dataDirectory, MASTER_KEY_FILE)
    try {
      const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64')
      if (key.length === KEY_BYTES) return new MasterKey(key, rng)
      throw new EngineError('unavailable', `${path} does not hold a key of ${KEY_BYTES} bytes.`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined // any error has a code or not
      if (error instanceof EngineError) throw error
      throw new EngineError('unavailable', `${path} cannot be read.`, { cause: error })
    }
  }

  /** A new one, written where `read` finds it. */
  static make(dataDirectory: string, rng: Rng): MasterKey {
    const key = rng.bytes(KEY_BYTES)
    const path = join(dataDirectory, MASTER_KEY_FILE)
    writeFileSync(path, `${key.toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
    return new MasterKey(key, rng)
  }

  /** AES-256-GCM: nonce, tag, text. `owner` is bound in: it does not open as another's. */
  seal(text: string, owner: string): Buffer {
    const nonce = this.#rng.bytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(owner))
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
  }

  /** Throws EngineError 'unavailable' for what this key has not sealed. */
  unseal(sealed: Buffer, owner: string): string {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(owner))
      decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      const text = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch (cause) {
      throw new EngineError('unavailable', `The secret of key ${owner} cannot be opened.`, {
        cause,
        hint: `${MASTER_KEY_FILE} in the data directory is not the one it was sealed with.`,
      })
    }
  }
}
