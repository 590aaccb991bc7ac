import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entryPath } from '../../../runtime/entries.ts'
import { FRAME, frame } from '../../../runtime/environments/frames.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { NODES, TestEnvironment } from './test-engine.ts'

const FILES = {
  'index.js': `const part = require('./lib/part')\nexports.handler = async (event) => part.twice(event)\n`,
  'lib/part.js': `exports.twice = (n) => n * 2\n`,
}

for (const node of NODES) {
  const caching = suite(`the code cache with ${node}`)

  /** The cache that an environment makes after it has run. */
  const makeCache = async (files: Record<string, string> = FILES): Promise<Buffer> => {
    await using environment = await TestEnvironment.start({ node, files })
    await environment.invoke(1)
    environment.send(frame(FRAME.makeCodeCache))
    return (await environment.next(FRAME.codeCache)).body
  }
  /** Starts an environment with this cache, and says what became of it. */
  const startWith = async (cache: Buffer, files: Record<string, string> = FILES): Promise<string> => {
    using folder = temporaryDirectory()
    await using environment = await TestEnvironment.spare({ node, files })
    // The cache is for code in one place; folders of tests have names of one length.
    const moved = cache
      .toString('latin1')
      .replace(/"taskRoot":"[^"]*"/, `"taskRoot":"${environment.taskRoot}"`)
    writeFileSync(folder.join('cache'), moved, 'latin1')
    const initialized = await environment.specialize({ codeCachePath: folder.join('cache') })
    assert.is((await environment.invoke(21)).text, '42')
    return initialized.codeCache
  }

  caching('a cache made by one environment is used by the next', async () => {
    const cache = await makeCache()

    assert.ok(cache.length > 500)
    assert.is(await startWith(cache), 'used')
  })

  caching('a cache for other sources is rejected and the code runs', async () => {
    const cache = await makeCache()
    const changed = { ...FILES, 'lib/part.js': `exports.twice = (n) => n + n\n` }

    assert.is(await startWith(cache, changed), 'rejected')
  })

  caching('a damaged cache is rejected and the code runs', async () => {
    const cache = await makeCache()
    const flipped = Buffer.from(cache)
    flipped[flipped.length - 20] = (flipped[flipped.length - 20] ?? 0) ^ 0xff

    assert.is(await startWith(flipped), 'rejected')
    assert.is(await startWith(cache.subarray(0, cache.length - 1)), 'rejected')
    assert.is(await startWith(Buffer.from('not a cache')), 'rejected')
    assert.is(await startWith(Buffer.alloc(0)), 'rejected')
  })

  caching('a cache made elsewhere is rejected, since stacks would show that place', async () => {
    const cache = await makeCache()
    using folder = temporaryDirectory()
    writeFileSync(folder.join('cache'), cache)
    const specialization = { codeCachePath: folder.join('cache') }
    await using environment = await TestEnvironment.start({ node, files: FILES, specialization })

    assert.is(environment.initialized.codeCache, 'rejected')
  })

  caching('a cache of another Node.js is rejected', async () => {
    const cache = await makeCache()
    const text = cache.toString('latin1')
    const other = Buffer.from(text.replace(/"node":"v\d\d/, '"node":"v11'), 'latin1')

    assert.is(await startWith(other), 'rejected')
  })

  caching('an ES module has no cache', async () => {
    const files = { 'index.mjs': `export const handler = async (n) => n * 2` }

    assert.is((await makeCache(files)).length, 0)
  })

  caching('a cache that is not there is rejected', async () => {
    const specialization = { codeCachePath: '/no/such/cache' }
    await using environment = await TestEnvironment.start({ node, files: FILES, specialization })

    assert.is(environment.initialized.codeCache, 'rejected')
  })

  caching('a cache is made while nothing runs', async () => {
    const files = { 'index.js': `exports.handler = () => new Promise((done) => setTimeout(done, 30, 1))` }
    await using environment = await TestEnvironment.start({ node, files })

    const id = environment.post({})
    environment.send(frame(FRAME.makeCodeCache))
    await environment.next(FRAME.codeCache)

    const order = environment.frames.map(({ type }) => type).slice(-2)
    assert.equal(order, [FRAME.result, FRAME.codeCache])
    assert.is((await environment.answer(id)).text, '1')
  })

  caching('a cache can be made without running the code', async () => {
    using folder = temporaryDirectory()
    const task = folder.join('task')
    mkdirSync(task)
    const file = folder.join('task', 'index.js')
    writeFileSync(
      file,
      `require('node:fs').writeFileSync(__dirname + '/ran', '')\nexports.handler = async (n) => n * 2`,
    )
    const out = folder.join('cache')

    execFileSync(node, [entryPath('environment.cjs'), '--make-code-cache', task, 'index.handler', out])

    assert.not.ok(existsSync(folder.join('task', 'ran')))
    assert.is(await startWith(readFileSync(out), { 'index.js': readFileSync(file, 'utf8') }), 'used')
  })

  caching.run()
}
