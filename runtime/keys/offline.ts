import type { Clock } from '../clock.ts'
import { createLog } from '../log.ts'
import type { Rng } from '../rng.ts'
import { openStore } from '../store/open.ts'
import { KeyRing } from './key-ring.ts'

/**
 * The keys of a data directory that no engine is running on; made when missing. To be closed.
 *
 * Rejects with EngineError 'conflict' when an engine has it, and with what store and ring reject with.
 */
export async function openKeyRing(parts: {
  dataDirectory: string
  clock: Clock
  rng: Rng
}): Promise<{ readonly keys: KeyRing } & AsyncDisposable> {
  const log = createLog({ level: 'silent', clock: parts.clock, sink: () => {} })
  const store = await openStore({ ...parts, log, inline: true })
  try {
    return { keys: new KeyRing({ ...parts, store }), [Symbol.asyncDispose]: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}
