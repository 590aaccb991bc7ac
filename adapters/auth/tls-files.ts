import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../../runtime/config.ts'
import { EngineError, messageOf } from '../../runtime/errors.ts'
import type { Tls } from '../listener.ts'

/**
 * The certificate and key that a configuration names, read once; undefined without TLS. Throws EngineError
 * 'invalid' for files that cannot be read, and for a key that does not fit its certificate.
 */
export function readTls({ tls }: Pick<Config, 'tls'>): Tls | undefined {
  if (tls === undefined) return undefined
  const read = (flag: string, path: string): Buffer => {
    try {
      return readFileSync(path)
    } catch (cause) {
      throw new EngineError('invalid', `${flag} ${path} cannot be read: ${messageOf(cause)}.`, { cause })
    }
  }
  const files = { cert: read('--tls-cert', tls.certPath), key: read('--tls-key', tls.keyPath) }
  try {
    createSecureContext(files)
    return files
  } catch (cause) {
    const message = `${tls.certPath} and ${tls.keyPath} are no certificate with its key: ${messageOf(cause)}.`
    throw new EngineError('invalid', message, {
      cause,
      hint: 'Both are PEM; the certificate may carry its chain.',
    })
  }
}
