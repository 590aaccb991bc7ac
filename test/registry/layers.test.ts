import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../../runtime/log.ts'
import { openLayers, type Layers, type NewLayerVersion } from '../../runtime/registry/layers.ts'
import { EngineError } from '../../runtime/errors.ts'
import { systemRng } from '../../runtime/rng.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { HERE, packageOf } from './open-registry.ts'

const layers = suite('layers in the registry')

const content = (id: string): NewLayerVersion => ({
  codePackage: packageOf(id),
  description: '',
  license: undefined,
  runtimes: undefined,
  architectures: undefined,
})

interface Opened extends AsyncDisposable {
  readonly layers: Layers
  readonly clock: FakeClock
}

/** Layers over the store of a folder; packages named `lost…` are gone. */
async function open(dataDirectory: string): Promise<Opened> {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory, clock, log, inline: true })
  const packages = {
    get: (id: string) =>
      id.startsWith('lost')
        ? Promise.reject(new EngineError('not-found', `Code package ${id} is gone.`))
        : Promise.resolve(packageOf(id)),
    directoryOf: (id: string) => packageOf(id).directory,
  }
  const opened = await openLayers({ store, packages, clock, rng: systemRng(), log })
  return {
    layers: opened,
    clock,
    async [Symbol.asyncDispose]() {
      await opened.close()
      await store.close()
    },
  }
}

layers('a package stays for an hour after the last version with it is gone', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder.path)
  await opened.layers.publish(HERE, 'tools', content('one'))

  await opened.layers.remove(HERE, 'tools', 1)
  const atOnce = [...opened.layers.packageIds()]
  await opened.clock.advance(3_599_999)
  const almost = [...opened.layers.packageIds()]
  await opened.clock.advance(1)
  const then = [...opened.layers.packageIds()]

  assert.equal([atOnce, almost, then], [['one'], ['one'], []])
})

layers('versions published at once get numbers of their own', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder.path)

  const made = await Promise.all(
    ['a', 'b', 'c'].map((id) => opened.layers.publish(HERE, 'tools', content(id))),
  )

  assert.equal(
    made.map(({ version }) => version),
    [1, 2, 3],
  )
})

layers('a layer whose content is lost is still seen and removed', async () => {
  using folder = temporaryDirectory()
  {
    await using opened = await open(folder.path)
    const version = await opened.layers.publish(HERE, 'tools', content('lost-one'))
    await opened.layers.addStatement(version, { Sid: 's1' }, undefined)
  }
  await using opened = await open(folder.path)

  const found = opened.layers.find(HERE, 'tools', 1)
  await opened.layers.remove(HERE, 'tools', 1)

  assert.is(found?.codePackage.sizeBytes, 100)
  assert.equal(found?.policy?.statements, [{ Sid: 's1' }])
  assert.equal(opened.layers.names(HERE), [])
})

layers('a policy that changed meanwhile is not changed over it', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder.path)
  const version = await opened.layers.publish(HERE, 'tools', content('one'))
  const { revisionId } = await opened.layers.addStatement(version, { Sid: 's1' }, undefined)

  const second = opened.layers.addStatement(version, { Sid: 's2' }, revisionId)
  const third = opened.layers.addStatement(version, { Sid: 's3' }, revisionId)

  assert.is((await second).statements.length, 2)
  await rejectsWith(third, 'precondition-failed')
})

layers.run()
