// time limit: 240 s
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, startLambent, zipOf } from '../support/lambent.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'

/** Packages that use the SDK, of every kind that there is, on the built program. */
const packages = suite('packages that use the SDK')

function folderOf(files: Readonly<Record<string, string>>): TemporaryDirectory {
  const folder = temporaryDirectory()
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join(path)), { recursive: true })
    writeFileSync(folder.join(path), content)
  }
  return folder
}

const LIBRARY = `import { task } from 'lambent'
export const double = task(async (n: number) => n * 2, { cpu: 1 })
export const fails = task(async () => { throw new RangeError('in the library') })
`
const CALLER = `import { get, task, type Handler } from 'lambent'
import type { double } from '../library/index.ts'
const fails = task<() => Promise<never>>('library/fails')
export const handler: Handler<{ fail?: boolean }> = async ({ fail }) => {
  if (fail) return await get(fails.remote()).catch((error: Error) => [error instanceof RangeError, error.message])
  return await get([1, 2, 3].map((n) => task<typeof double>('library/double').remote(n)))
}
`

packages('one without a handler offers its tasks to others, and has no handler to invoke', async () => {
  using folder = folderOf({ 'library/index.ts': LIBRARY, 'caller/index.ts': CALLER })
  await using lambent = await startLambent({ argv: ['--deploy', folder.path] })

  const values = await invoke(lambent.url, 'caller')
  const failed = await invoke(lambent.url, 'caller', { fail: true })
  const direct = await invoke(lambent.url, 'library')

  assert.equal(values.body, [2, 4, 6])
  assert.equal(failed.body, [true, 'in the library'])
  assert.ok(direct.error)
  assert.is((direct.body as { errorType: string }).errorType, 'Runtime.HandlerNotFound')
})

const MODULE = `import { get, put, task, context, type Handler } from 'lambent'
export const words = task(function* (text: string) { yield* text.split(' ') })
export const seed = await get(await put(new Map([['seed', 7n]])))
export const handler: Handler<{ text: string }> = async ({ text }, given) => {
  const found: string[] = []
  for await (const ref of words.remote(text)) found.push(await get(ref))
  return { found, seed: String(seed.get('seed')), same: given.awsRequestId === context.runId }
}
`

packages('an ES module may ask while it loads, and takes the items of a generator', async () => {
  using folder = folderOf({ 'module/index.ts': MODULE })
  await using lambent = await startLambent({ argv: ['--deploy', folder.path] })

  const { body } = await invoke(lambent.url, 'module', { text: 'to be or not' })

  assert.equal(body, { found: ['to', 'be', 'or', 'not'], seed: '7', same: true })
})

const GANG = `import { get, placementGroup, task, type Handler } from 'lambent'
export const add = task(async (a: number, b: number) => a + b)
export const handler: Handler = async () => {
  const group = placementGroup({ bundles: [{ cpu: 1 }], strategy: 'PACK' })
  await group.ready({ timeout: '20s' })
  const sum = await get(add.options({ placementGroup: group, bundle: 0 }).remote(1, 2), { timeout: '20s' })
  const { state } = await group.state()
  await group.remove()
  return { sum, state }
}
`

packages('a task runs in a placement group that the handler has made', async () => {
  using folder = folderOf({ 'gang/index.ts': GANG })
  await using lambent = await startLambent({ argv: ['--deploy', folder.path] })

  const { body } = await invoke(lambent.url, 'gang')

  assert.equal(body, { sum: 3, state: 'ready' })
})

const BEHIND_A_WRAPPER = `const { task, get } = globalThis[Symbol.for('lambent.sdk.v1')]
exports.where = task(() => process.env.WRAPPED)
exports.handler = async () => [process.env.WRAPPED, await get(exports.where.remote())]
`
const WRAPPER = { program: '#!/bin/bash\nexport WRAPPED=yes\nexec "$@"\n' }

packages('handler and tasks run behind a wrapper program as they do without one', async () => {
  await using lambent = await startLambent()
  const variables = { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' }
  const zip = await zipOf({ 'index.js': BEHIND_A_WRAPPER, wrapper: WRAPPER })
  await deploy(lambent.url, 'wrapped', zip, { variables })

  const { body } = await invoke(lambent.url, 'wrapped')

  assert.equal(body, ['yes', 'yes'])
})

packages.run()
