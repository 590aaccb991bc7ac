import { copyFileSync, readFileSync, rmSync, statSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KeyRing } from '../../runtime/keys/key-ring.ts'
import { MASTER_KEY_FILE } from '../../runtime/keys/master-key.ts'
import { openKeyRing } from '../../runtime/keys/offline.ts'
import { createLog } from '../../runtime/log.ts'
import { systemRng } from '../../runtime/rng.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const keyRing = suite('the key ring')

const WISH = { name: 'ci', account: '000000000000', scopes: ['invoke:orders-*', 'read'] }
const clock = createFakeClock()
const open = (dataDirectory: string) => openKeyRing({ dataDirectory, clock, rng: systemRng() })

keyRing('keeps keys over a restart, their secrets sealed and their tokens hashed', async () => {
  using folder = temporaryDirectory()
  const first = await open(folder.path)
  const made = await first.keys.create(WISH)
  await first[Symbol.asyncDispose]()

  await using again = await open(folder.path)
  const { secret, token, ...view } = made

  assert.equal(again.keys.list(), [view])
  assert.is(again.keys.credential(made.keyId)?.secret, secret)
  assert.is(again.keys.bearer(token)?.principal.name, 'ci')
  assert.is(statSync(folder.join(MASTER_KEY_FILE)).mode & 0o777, 0o600)
  const database = ['lambent.db', 'lambent.db-wal'].map((name) => {
    try {
      return readFileSync(folder.join(name), 'latin1')
    } catch {
      return '' // the log is gone once it has been emptied
    }
  })
  assert.ok(database.some((text) => text.includes(made.keyId)))
  for (const text of database) assert.not.ok(text.includes(secret) || text.includes(token))
})

keyRing('does not open what another master key has sealed', async () => {
  using folder = temporaryDirectory()
  using other = temporaryDirectory()
  for (const { path } of [folder, other]) {
    await using opened = await open(path)
    await opened.keys.create(WISH)
  }

  copyFileSync(other.join(MASTER_KEY_FILE), folder.join(MASTER_KEY_FILE))
  const wrong = await rejectsWith(open(folder.path), 'unavailable')
  rmSync(folder.join(MASTER_KEY_FILE))
  const missing = await rejectsWith(open(folder.path), 'unavailable')

  assert.match(wrong.hint ?? '', MASTER_KEY_FILE)
  assert.match(missing.message, MASTER_KEY_FILE)
})

keyRing('ends a key when it is revoked, and for good', async () => {
  using folder = temporaryDirectory()
  const first = await open(folder.path)
  const made = await first.keys.create(WISH)

  await first.keys.revoke(made.keyId)

  assert.is(first.keys.credential(made.keyId), undefined)
  assert.is(first.keys.bearer(made.token), undefined)
  assert.ok(first.keys.isEmpty)
  await rejectsWith(first.keys.revoke(made.keyId), 'not-found')
  await first[Symbol.asyncDispose]()
  await using again = await open(folder.path)
  assert.equal(again.keys.list(), [])
})

keyRing('ends a key at its time, and counts no expired one as an administrator', async () => {
  using folder = temporaryDirectory()
  const ticking = createFakeClock()
  await using opened = await openKeyRing({ dataDirectory: folder.path, clock: ticking, rng: systemRng() })
  const expiresAtMs = ticking.nowMs() + 1000
  const made = await opened.keys.create({ ...WISH, scopes: ['admin'], expiresAtMs })

  assert.is(opened.keys.credential(made.keyId)?.isExpired, false)
  assert.ok(opened.keys.hasAdmin)
  await ticking.advance(1000)

  assert.is(opened.keys.credential(made.keyId)?.isExpired, true)
  assert.is(opened.keys.bearer(made.token)?.isExpired, true)
  assert.not.ok(opened.keys.hasAdmin)
})

keyRing('refuses wishes that mean nothing', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder.path)

  for (const wish of [
    { ...WISH, scopes: [] },
    { ...WISH, scopes: ['everything'] },
    { ...WISH, scopes: ['admin:orders'] },
    { ...WISH, scopes: ['invoke:or/ders'] },
    { ...WISH, account: '12' },
    { ...WISH, name: 'a b' },
    { ...WISH, organization: 'o-1' },
  ])
    await rejectsWith(opened.keys.create(wish), 'invalid')
  assert.ok(opened.keys.isEmpty)
})

keyRing('a data folder that an engine has is left alone', async () => {
  using folder = temporaryDirectory()
  await using _running = await open(folder.path)

  const failure = await rejectsWith(open(folder.path), 'conflict')

  assert.is(failure.detail, 'data-directory-in-use')
})

keyRing('a session is an invoker of its account until its environment ends', async () => {
  using folder = temporaryDirectory()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: folder.path, clock, log, inline: true })
  const keys = new KeyRing({ store, dataDirectory: folder.path, clock, rng: systemRng() })

  const secrets = keys.openSession('e-1', '123456789012', 'orders')
  const found = keys.credential(secrets.keyId)
  keys.closeSession('e-1')

  assert.is(found?.sessionToken, secrets.sessionToken)
  assert.equal(found?.principal.grants, [{ action: 'invoke', functions: undefined }])
  assert.is(keys.credential(secrets.keyId), undefined)
  await store.close()
})

keyRing.run()
