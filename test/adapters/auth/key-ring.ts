import { KeyRing } from '../../../runtime/keys/key-ring.ts'
import { createLog } from '../../../runtime/log.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { openStore } from '../../../runtime/store/open.ts'
import { createFakeClock, type FakeClock } from '../../support/clock.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** A real key ring over a real store, with a clock that stands still. */
export async function openTestKeys(): Promise<{ keys: KeyRing; clock: FakeClock } & AsyncDisposable> {
  const folder = temporaryDirectory()
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: folder.path, clock, log, inline: true })
  return {
    clock,
    keys: new KeyRing({ store, dataDirectory: folder.path, clock, rng: systemRng() }),
    async [Symbol.asyncDispose]() {
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}
