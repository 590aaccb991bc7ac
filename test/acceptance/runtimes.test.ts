// time limit: 240 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, startLambent, zipOf } from '../support/lambent.ts'

/**
 * Every runtime identifier runs on its own Node.js, fetched on first use; without a registry on the engine's
 * own.
 */
const runtimes = suite('Node.js runtimes')

const CODE =
  'exports.handler = async () => ({ node: process.versions.node, name: process.env.AWS_EXECUTION_ENV })'

runtimes(
  'nodejs22.x, 24.x and 26.x really run on those Node.js versions, or the fallback is announced',
  async () => {
    await using lambent = await startLambent()
    const zip = await zipOf({ 'index.js': CODE })

    for (const major of ['22', '24', '26']) {
      const runtime = `nodejs${major}.x`
      await deploy(lambent.url, `on-${major}`, zip, { runtime })
      const { body } = await invoke(lambent.url, `on-${major}`)
      const answer = body as { node: string; name: string }

      assert.is(answer.name, `AWS_Lambda_${runtime}`)
      if (answer.node.split('.')[0] === major) continue
      assert.is(answer.node, process.versions.node)
      assert.match(lambent.stderr(), new RegExp(`nodejs${major}|${runtime.replace('.', '\\.')}`))
    }
  },
)

runtimes("the engine's own major version runs without fetching anything", async () => {
  await using lambent = await startLambent()
  const own = process.versions.node.split('.')[0] ?? ''
  if (!['20', '22', '24', '26'].includes(own)) return

  await deploy(lambent.url, 'own', await zipOf({ 'index.js': CODE }), { runtime: `nodejs${own}.x` })
  const { body } = await invoke(lambent.url, 'own')

  assert.is((body as { node: string }).node, process.versions.node)
})

runtimes.run()
