import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is gone when its scope ends. */
export interface TemporaryDirectory extends Disposable {
  readonly path: string
  /** An absolute path inside it. */
  join(...parts: string[]): string
}

/** `using folder = temporaryDirectory()`. Short, because sockets in it are cut at 108 bytes. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'lt-'))
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 }),
  }
}
