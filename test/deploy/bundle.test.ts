import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle } from '../../deploy/bundle.ts'
import { BundleError, type BundleOptions } from '../../deploy/bundle-build.ts'
import { runsAsItIs, zipFolder } from '../../deploy/bundle-plain.ts'
import { unpackZip, type UnpackedTree } from '../../runtime/registry/zip.ts'
import { ZIP_LIMITS } from '../../runtime/registry/zip-plan.ts'
import { rejects } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'

const bundling = suite('bundling')

const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Writes `files` by relative path and answers the absolute path of the first. */
function project(folder: TemporaryDirectory, files: Record<string, string | Buffer>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join('project', path)), { recursive: true })
    writeFileSync(folder.join('project', path), content)
  }
  return folder.join('project', Object.keys(files)[0] ?? '')
}

interface Unpacked {
  readonly tree: UnpackedTree
  readonly task: string
  readonly warnings: readonly string[]
  /** Calls the handler in a Node.js of its own and gives what it answered. */
  call(event?: unknown): unknown
}

async function bundled(
  folder: TemporaryDirectory,
  entry: string,
  options: BundleOptions = {},
): Promise<Unpacked> {
  const { zip, handler, warnings } = await bundle(entry, options)
  const task = folder.join('task')
  const tree = await unpackZip(zip, task, ZIP_LIMITS)
  const [name = '', exported = ''] = handler.split('.')
  const file = tree.files.find((one) => one.path === `${name}.cjs` || one.path === `${name}.mjs`)?.path ?? ''
  const call = (event: unknown = {}): unknown => {
    const program = `import('${task}/${file}')
      .then((module) => (module['${exported}'] ?? module.default['${exported}'])(${JSON.stringify(event)}))
      .then((result) => process.stdout.write(JSON.stringify(result)))`
    const argv = ['--enable-source-maps', '-e', program]
    return JSON.parse(execFileSync(process.execPath, argv, { cwd: '/', env: {}, encoding: 'utf8' }))
  }
  return { tree, task, warnings, call }
}

bundling('TypeScript with imports becomes one CommonJS file with a source map', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { add } from './lib/add.ts'
      import words from './words.json' with { type: 'json' }
      import text from './note.txt'
      interface Sum { left: number; right: number }
      export const handler = async (event: Sum) => ({ sum: add(event.left, event.right), words, text })`,
    'lib/add.ts': `export const add = (left: number, right: number): number => left + right`,
    'words.json': `["a", "b"]`,
    'note.txt': `hello`,
  })

  const made = await bundled(folder, entry)

  assert.equal(made.call({ left: 1, right: 2 }), { sum: 3, words: ['a', 'b'], text: 'hello' })
  assert.equal(made.tree.files.map((file) => file.path).toSorted(), ['index.cjs', 'index.cjs.map'])
  assert.equal(made.warnings, [])
})

bundling('a stack trace shows lines of the source', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { fail } from './fail.ts'
export const handler = async () => { try { fail() } catch (error) { return (error as Error).stack } }`,
    'fail.ts': `type Unused = string

export function fail(): never {
  throw new Error('on purpose')
}`,
  })

  const made = await bundled(folder, entry)

  assert.match(String(made.call()), /fail\.ts:4:/)
})

bundling('CommonJS sources work as they are', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.js': `const path = require('path')
      exports.handler = async (event) =>
        ({ name: path.basename(event.path), here: __filename, sloppy: sloppy() })
      function sloppy() { return this !== undefined }`,
  })

  const made = await bundled(folder, entry)

  assert.equal(made.call({ path: '/a/b' }), { name: 'b', here: join(made.task, 'index.cjs'), sloppy: true })
})

bundling('a source that awaits at its top level becomes an ES module', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      const __dirname = import.meta.dirname
      const os = require('node:os')
      const value = await Promise.resolve(41)
      export const handler = () => ({ value: value + 1, eol: os.EOL, here: __dirname })`,
  })

  const made = await bundled(folder, entry)

  assert.ok(existsSync(join(made.task, 'index.mjs')))
  assert.equal(made.call(), { value: 42, eol: '\n', here: made.task })
})

bundling('CommonJS packages with dynamic requires of builtins work inside an ES module', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import old from 'old'
      await 0
      export const handler = () => old()`,
    'node_modules/old/package.json': `{ "name": "old", "version": "1.0.0" }`,
    'node_modules/old/index.js': `const name = 'o' + 's'; module.exports = () => require(name).EOL`,
  })

  const made = await bundled(folder, entry)

  assert.is(made.call(), '\n')
})

bundling('files beside the source are found through import.meta.url and __dirname', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { readFileSync } from 'node:fs'
      import { createRequire } from 'node:module'
      const load = createRequire(import.meta.url)
      export const handler = () => [
        readFileSync(new URL('./table.bin', import.meta.url), 'utf8'),
        readFileSync(import.meta.dirname + '/deep/more.bin', 'utf8'),
        load('./plain.json').plain,
      ]`,
    'table.bin': 'table',
    'deep/more.bin': 'more',
    'plain.json': '{ "plain": true }',
    'README.md': 'not for the function',
    '.env': 'SECRET=1',
  })

  const made = await bundled(folder, entry)

  assert.equal(made.call(), ['table', 'more', true])
  assert.not.ok(made.tree.files.some((file) => /README|\.env/.test(file.path)))
})

bundling('lambent resolves without node_modules', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import type { Handler } from 'lambent'
      import { defineConfig, parseDuration } from 'lambent'
      export const handler: Handler = () => [parseDuration('2s'), defineConfig({})]`,
  })

  const made = await bundled(folder, entry)

  assert.equal(made.call(), [2000, {}])
})

bundling('the same sources give the same bytes, wherever the time goes', async () => {
  using folder = temporaryDirectory()
  const files = { 'index.ts': `export const handler = () => 1`, 'b.ts': '' }
  const first = await bundle(project(folder, files))

  const second = await bundle(project(folder, files))
  const changed = await bundle(project(folder, { 'index.ts': `export const handler = () => 2` }))

  assert.ok(first.zip.equals(second.zip))
  assert.not.ok(first.zip.equals(changed.zip))
})

bundling('errors name file and line, all of them', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import './nowhere.ts'\nimport 'not-installed'\nexport const handler = () => 1`,
  })

  const error = await rejects(bundle(entry))

  assert.instance(error, BundleError)
  assert.match(error.message, /index\.ts:1:\d+: .*nowhere\.ts/)
  assert.match(error.message, /index\.ts:2:\d+: .*not-installed/)
})

bundling("AWS's SDK is left to the environment where it is not installed", async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `export const handler = () =>
      import('@aws-sdk/client-nothing').then(() => 'found', (error) => error.code)`,
  })

  const made = await bundled(folder, entry)

  assert.match(String(made.call()), /MODULE_NOT_FOUND/)
  assert.match(made.warnings.join(), '@aws-sdk/client-nothing')
})

bundling('a compiled package is copied with what it needs, and runs', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import Database from 'better-sqlite3'
      export const handler = () => new Database(':memory:').prepare('SELECT 6 * 7 AS answer').get()`,
  })
  symlinkSync(join(CHECKOUT, 'node_modules'), folder.join('project', 'node_modules'))

  const made = await bundled(folder, entry)

  const paths = made.tree.files.map((file) => file.path)
  assert.ok(paths.includes('node_modules/better-sqlite3/build/Release/better_sqlite3.node'))
  assert.ok(paths.some((path) => path.startsWith('node_modules/bindings/')))
  assert.not.ok(paths.some((path) => path.startsWith('node_modules/prebuild-install/')))
  assert.equal(made.call(), { answer: 42 })
})

bundling('a package that reads files beside its own is copied, each version to its place', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { table } from 'reads'
      import shared from 'shared'
      export const handler = () => [table(), shared]`,
    'node_modules/reads/package.json': `{ "name": "reads", "dependencies": { "shared": "2" } }`,
    'node_modules/reads/index.js': `const fs = require('fs')
      exports.table = () => fs.readFileSync(__dirname + '/table.txt', 'utf8') + require('shared')`,
    'node_modules/reads/table.txt': 'table of ',
    'node_modules/reads/node_modules/shared/package.json': `{ "name": "shared", "version": "2.0.0" }`,
    'node_modules/reads/node_modules/shared/index.js': `module.exports = 'two'`,
    'node_modules/shared/package.json': `{ "name": "shared", "version": "1.0.0" }`,
    'node_modules/shared/index.js': `module.exports = 'one'`,
  })

  const made = await bundled(folder, entry)

  assert.equal(made.call(), ['table of two', 'one'])
})

bundling('a package named external is copied, one that is not installed is a warning', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import plain from 'plain'
      export const handler = () => plain`,
    'node_modules/plain/package.json': `{ "name": "plain" }`,
    'node_modules/plain/index.js': `module.exports = 'plain'`,
  })

  const made = await bundled(folder, entry, { external: ['plain', 'in-a-layer'] })

  assert.is(made.call(), 'plain')
  assert.ok(existsSync(join(made.task, 'node_modules/plain/index.js')))
  assert.equal(made.warnings, ['in-a-layer is not installed: it must come from a layer.'])
})

bundling('packages that are imported for their types alone need not be installed', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.ts': `import { APIGatewayProxyEventV2, Context } from 'aws-lambda'
      import { context, type Handler } from 'lambent'
      export const handler = (event: APIGatewayProxyEventV2, given: Context) => 'typed'`,
  })

  const made = await bundled(folder, entry)

  assert.is(made.call(), 'typed')
  assert.equal(made.warnings, [])
})

bundling('plain Lambda code is told from code that needs bundling, and zipped with all it has', async () => {
  using folder = temporaryDirectory()
  const entry = project(folder, {
    'index.js': `exports.handler = async () => require('own')`,
    'node_modules/own/package.json': `{ "name": "own", "main": "main.js" }`,
    'node_modules/own/main.js': `module.exports = 'own'`,
  })
  project(folder, {
    'sdk/index.js': `import { task } from 'lambent'\nexport const handler = () => task`,
    'hoisted/index.js': `import own from 'own'\nexport const handler = () => own`,
    'typed/index.ts': `export const handler = () => 1`,
  })

  const answers = await Promise.all(
    [
      entry,
      ...['sdk/index.js', 'hoisted/index.js', 'typed/index.ts'].map((path) => folder.join('project', path)),
    ].map(runsAsItIs),
  )
  const tree = await unpackZip(await zipFolder(dirname(entry)), folder.join('task'), ZIP_LIMITS)

  assert.equal(answers, [true, false, false, false])
  assert.ok(tree.files.some((file) => file.path === 'node_modules/own/main.js'))
  assert.is(readFileSync(folder.join('task', 'index.js'), 'utf8'), readFileSync(entry, 'utf8'))
})

bundling('a typical API with middleware bundles into one file and runs from anywhere', async () => {
  using folder = temporaryDirectory()
  cpSync(join(CHECKOUT, 'functions/middleware'), folder.join('project'), { recursive: true })
  symlinkSync(join(CHECKOUT, 'node_modules'), folder.join('project', 'node_modules'))

  const made = await bundled(folder, folder.join('project', 'index.ts'))

  assert.equal(made.tree.files.map((file) => file.path.replace(/cjs|mjs/, 'js')).toSorted(), [
    'index.js',
    'index.js.map',
  ])
})

bundling.run()
