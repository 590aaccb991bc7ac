import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { latestOf } from '../../runtime/registry/versions.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import { systemRng } from '../../runtime/rng.ts'
import { rejectsWith, throwsWith } from '../support/assert.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { within } from '../support/until.ts'
import { HERE, NEW, openTestRegistry, packageOf, SETTINGS } from './open-registry.ts'

const registry = suite('registry')

/** A preparation that ends when the test says so. */
function gate(): {
  prepare: (version: FunctionVersion) => Promise<void>
  open: (error?: Error) => void
  seen: string[]
} {
  const waiting: ((error?: Error) => void)[] = []
  const seen: string[] = []
  return {
    seen,
    prepare: (version) =>
      new Promise((resolve, reject) => {
        seen.push(version.codePackage.id)
        waiting.push((error) => (error === undefined ? resolve() : reject(error)))
      }),
    open: (error) => {
      for (const release of waiting.splice(0)) release(error)
    },
  }
}

registry('a function is pending until it is prepared, and then runs', async () => {
  using folder = temporaryDirectory()
  const { prepare, open } = gate()
  await using test = await openTestRegistry(folder.path, { prepare })
  await test.registry.create(HERE, 'f', NEW)

  const pending = throwsWith(() => test.registry.resolve(HERE, 'f', undefined), 'conflict')
  const ready = test.registry.ready(HERE, 'f')
  open()
  await within('readiness', ready)
  const target = test.registry.resolve(HERE, 'f', undefined)

  assert.is(pending.detail, 'pending')
  assert.is(target.version.codePackage.id, 'one')
  assert.is(target.invokedArn, 'arn:aws:lambda:us-east-1:000000000000:function:f')
  assert.is(target.qualifier, '$LATEST')
  assert.is(test.registry.resolve(HERE, 'f', undefined), target)
  assert.is(
    test.registry.resolve(HERE, 'f', '$LATEST').invokedArn,
    'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST',
  )
  assert.equal(
    test.events.map((event) => event.kind),
    ['version-ready'],
  )
})

registry('what is not there is not found in the words of the service', async () => {
  using folder = temporaryDirectory()
  await using test = await openTestRegistry(folder.path)
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:f'

  const none = throwsWith(() => test.registry.resolve(HERE, 'f', undefined), 'not-found')
  await test.registry.create(HERE, 'f', NEW)
  await test.registry.ready(HERE, 'f')
  const alias = throwsWith(() => test.registry.resolve(HERE, 'f', 'live'), 'not-found')
  const version = throwsWith(() => test.registry.resolve(HERE, 'f', '7'), 'not-found')

  assert.is(none.message, `Function not found: ${arn}:$LATEST`)
  assert.is(alias.message, `Cannot find alias arn: ${arn}:live`)
  assert.is(version.message, `Function not found: ${arn}:7`)
})

registry('after an update is acknowledged the old code is never given again', async () => {
  using folder = temporaryDirectory()
  const { prepare, open } = gate()
  await using test = await openTestRegistry(folder.path, { prepare })
  await test.registry.create(HERE, 'f', NEW)
  open()
  await test.registry.ready(HERE, 'f')
  const old = test.registry.resolve(HERE, 'f', undefined).version

  await test.registry.update(HERE, 'f', { codePackage: packageOf('two') })
  const updating = throwsWith(() => test.registry.resolve(HERE, 'f', undefined), 'conflict')
  const again = await rejectsWith(test.registry.update(HERE, 'f', {}), 'conflict')
  open()
  await within('readiness', test.registry.ready(HERE, 'f'))
  const next = test.registry.resolve(HERE, 'f', undefined).version

  assert.is(updating.detail, 'updating')
  assert.is(again.detail, 'updating')
  assert.is(next.codePackage.id, 'two')
  assert.is.not(next.key, old.key)
  assert.equal(test.events.slice(1), [
    { kind: 'version-retired', key: old.key },
    { kind: 'version-ready', version: next },
  ])
})

registry(
  'under strict limits the old code serves until the update is done, and after one that failed',
  async () => {
    using folder = temporaryDirectory()
    const { prepare, open } = gate()
    await using test = await openTestRegistry(folder.path, { prepare, limits: 'strict' })
    const id = () => test.registry.resolve(HERE, 'f', undefined).version.codePackage.id
    await test.registry.create(HERE, 'f', NEW)
    open()
    await test.registry.ready(HERE, 'f')

    await test.registry.update(HERE, 'f', { codePackage: packageOf('two') })
    const during = id()
    open(new Error('no such runtime'))
    await test.registry.ready(HERE, 'f')
    const failed = id()
    await test.registry.update(HERE, 'f', { codePackage: packageOf('three') })
    open()
    await test.registry.ready(HERE, 'f')

    assert.is(during, 'one')
    assert.is(failed, 'one')
    assert.is(id(), 'three')
  },
)

registry('a failed preparation is told and can be mended by an update', async () => {
  using folder = temporaryDirectory()
  const { prepare, open } = gate()
  await using test = await openTestRegistry(folder.path, { prepare })
  await test.registry.create(HERE, 'f', NEW)
  open(new Error('nodejs24.x cannot be had'))
  await test.registry.ready(HERE, 'f')

  const failed = throwsWith(() => test.registry.resolve(HERE, 'f', undefined), 'conflict')
  await test.registry.update(HERE, 'f', {})
  open()
  await test.registry.ready(HERE, 'f')

  assert.is(failed.detail, 'failed')
  assert.is(failed.hint, 'nodejs24.x cannot be had')
  assert.is(test.registry.resolve(HERE, 'f', undefined).version.codePackage.id, 'one')
})

registry('everything is there again after a restart', async () => {
  using folder = temporaryDirectory()
  await using before = await openTestRegistry(folder.path)
  await before.registry.create(HERE, 'f', { ...NEW, tags: { 'lambent:cpu': '2' }, publish: true })
  await before.registry.ready(HERE, 'f')
  await before.registry.createAlias(HERE, 'f', { name: 'live', version: '1', description: 'd', weights: {} })
  await before.registry.reserve(HERE, 'f', 5)
  await before.registry.allowRecursion(HERE, 'f', 'allow')
  await before.registry.addStatement(HERE, 'f', { qualifier: 'live', statement: { Sid: 's' } })
  const url = await before.registry.createUrl(HERE, 'f', {
    qualifier: '',
    auth: 'none',
    invokeMode: null,
    cors: { allowOrigins: ['*'] },
  })
  await before.registry.putEventSettings(HERE, 'f', 'live', { maxRetries: 0 }, 'replace')
  const written = before.registry.get(HERE, 'f')
  await before.close()

  await using after = await openTestRegistry(folder.path)

  assert.equal(after.registry.get(HERE, 'f'), written)
  assert.is(after.registry.byUrl(url.urlId)?.record.functionName, 'f')
  assert.is(after.registry.resolve(HERE, 'f', 'live').limits.reservedConcurrency, 5)
  assert.is(after.registry.resolve(HERE, 'f', 'live').version.execution.resources.cpu, 2000)
})

registry('a preparation that a stop cut off is done after the restart', async () => {
  using folder = temporaryDirectory()
  const cut = gate()
  const before = await openTestRegistry(folder.path, {
    prepare: (version, signal) =>
      new Promise((_resolve, reject) => {
        void cut.prepare(version)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  })
  await before.registry.create(HERE, 'f', NEW)
  await before.close()

  await using after = await openTestRegistry(folder.path)
  await within('readiness', after.registry.ready(HERE, 'f'))

  assert.equal(cut.seen, ['one'])
  assert.is(latestOf(after.registry.get(HERE, 'f')).state.kind, 'active')
})

registry('a version whose code package is gone is failed and does not stop the others', async () => {
  using folder = temporaryDirectory()
  const before = await openTestRegistry(folder.path)
  await before.registry.create(HERE, 'f', { ...NEW, codePackage: packageOf('lost') })
  await before.registry.create(HERE, 'g', NEW)
  await Promise.all(['f', 'g'].map((name) => before.registry.ready(HERE, name)))
  await before.close()

  await using after = await openTestRegistry(folder.path)

  assert.is(
    throwsWith(() => after.registry.resolve(HERE, 'f', undefined), 'conflict').hint,
    'Code package lost is gone.',
  )
  assert.is(after.registry.resolve(HERE, 'g', undefined).version.codePackage.id, 'one')
})

registry('a change that the store refuses is not seen', async () => {
  using folder = temporaryDirectory()
  const refusing = { now: false }
  await using test = await openTestRegistry(folder.path, {}, refusing)
  await test.registry.create(HERE, 'f', NEW)
  await test.registry.ready(HERE, 'f')
  const told = test.events.length
  refusing.now = true

  await rejectsWith(test.registry.update(HERE, 'f', { codePackage: packageOf('two') }), 'unavailable')

  assert.is(test.registry.resolve(HERE, 'f', undefined).version.codePackage.id, 'one')
  assert.is(test.events.length, told)
})

registry('two changes on one revision: one holds, the other learns of it', async () => {
  using folder = temporaryDirectory()
  await using test = await openTestRegistry(folder.path)
  await test.registry.create(HERE, 'f', { ...NEW, publish: true })
  await test.registry.ready(HERE, 'f')
  const { revisionId } = await test.registry.createAlias(HERE, 'f', {
    name: 'live',
    version: '1',
    description: '',
    weights: {},
  })

  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((description) =>
      test.registry.updateAlias(HERE, 'f', 'live', { description, revisionId }),
    ),
  )

  assert.equal(
    outcomes.map((outcome) => outcome.status),
    ['fulfilled', 'rejected'],
  )
  assert.is(test.registry.get(HERE, 'f').aliases.get('live')?.description, 'a')
})

registry('two creates of one name: one function', async () => {
  using folder = temporaryDirectory()
  await using test = await openTestRegistry(folder.path)

  const outcomes = await Promise.allSettled([
    test.registry.create(HERE, 'f', NEW),
    test.registry.create(HERE, 'f', NEW),
  ])

  assert.is(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1)
})

registry('an alias shares requests by weight', async () => {
  using folder = temporaryDirectory()
  const draws = [0.09, 0.1, 0.5, 0.99]
  const rng = { ...systemRng(), fraction: () => draws.shift() ?? 1 }
  await using test = await openTestRegistry(folder.path, { rng })
  await test.registry.create(HERE, 'f', { ...NEW, publish: true })
  await test.registry.ready(HERE, 'f')
  await test.registry.update(HERE, 'f', { codePackage: packageOf('two'), publish: true })
  await test.registry.ready(HERE, 'f')
  await test.registry.createAlias(HERE, 'f', {
    name: 'live',
    version: '1',
    description: '',
    weights: { 2: 0.1 },
  })

  const executed = [1, 2, 3, 4].map(() => test.registry.resolve(HERE, 'f', 'live').executedVersion)

  assert.equal(executed, ['2', '1', '1', '1'])
})

registry('tags that change how a function runs give it other environments, others do not', async () => {
  using folder = temporaryDirectory()
  await using test = await openTestRegistry(folder.path)
  await test.registry.create(HERE, 'f', NEW)
  await test.registry.ready(HERE, 'f')
  const first = test.registry.resolve(HERE, 'f', undefined)

  await test.registry.tag(HERE, 'f', () => ({ team: 'a' }))
  const same = test.registry.resolve(HERE, 'f', undefined)
  await test.registry.tag(HERE, 'f', (tags) => ({
    ...tags,
    'lambent:timeout': 'none',
    'lambent:memory-mb': 'none',
  }))
  const other = test.registry.resolve(HERE, 'f', undefined)

  assert.is(same.version.key, first.version.key)
  assert.is.not(other.version.key, first.version.key)
  assert.is(other.version.timeoutMs, null)
  assert.is(other.version.memoryLimitMb, null)
  assert.is(other.limits, first.limits)
  assert.equal(test.events.at(-2), { kind: 'version-retired', key: first.version.key })
  assert.equal(test.events.at(-1), { kind: 'version-ready', version: other.version })
})

registry('a removed function retires all its versions and lets waiters go', async () => {
  using folder = temporaryDirectory()
  const { prepare, open } = gate()
  await using test = await openTestRegistry(folder.path, { prepare })
  await test.registry.create(HERE, 'f', { ...NEW, publish: true })
  const ready = test.registry.ready(HERE, 'f')

  await test.registry.remove(HERE, 'f')
  await within('release', ready)
  open()

  assert.equal(
    test.events.map((event) => event.kind),
    ['version-retired', 'version-retired'],
  )
  throwsWith(() => test.registry.resolve(HERE, 'f', undefined), 'not-found')
})

registry('waiting for readiness can be given up', async () => {
  using folder = temporaryDirectory()
  const { prepare, open } = gate()
  await using test = await openTestRegistry(folder.path, { prepare })
  await test.registry.create(HERE, 'f', NEW)
  const waiting = new AbortController()

  const ready = test.registry.ready(HERE, 'f', waiting.signal)
  waiting.abort(new EngineError('timeout', 'Waited long enough.'))

  await rejectsWith(ready, 'timeout')
  open()
})

registry('changes of one function wait in a line that has an end', async () => {
  using folder = temporaryDirectory()
  await using test = await openTestRegistry(folder.path)
  await test.registry.create(HERE, 'f', { ...NEW, settings: { ...SETTINGS, description: 'busy' } })

  const outcomes = await Promise.allSettled(
    Array.from({ length: 150 }, (_, index) => test.registry.tag(HERE, 'f', () => ({ index: `${index}` }))),
  )

  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  assert.ok(refused.length >= 40, `${refused.length} were refused`)
  assert.ok(refused.every((error) => error instanceof EngineError && error.code === 'throttled'))
})

registry.run()
