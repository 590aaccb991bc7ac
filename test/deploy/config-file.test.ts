import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfigExport } from '../../deploy/config-export.ts'
import { loadProject, ProjectError } from '../../deploy/config-file.ts'
import { rejects } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'

const configuring = suite('configuration files')

/** Writes `files` by relative path and answers the folder. */
function project(folder: TemporaryDirectory, files: Record<string, string>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join('p', path)), { recursive: true })
    writeFileSync(folder.join('p', path), content)
  }
  return folder.join('p')
}

configuring('every folder with an index file is a function named after it', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'one/index.ts': `export const handler = () => 1`,
    'two/index.mjs': `export const handler = () => 2`,
    'three/index.cjs': `exports.handler = () => 3`,
    'four/index.js': `export const config = { name: 'quatre' }\nexport const handler = () => 'lambent'`,
    'not/readme.md': '',
    '.hidden/index.ts': '',
    'node_modules/index.ts': '',
  })

  const { functions } = await loadProject([path])

  assert.equal(functions.map((one) => one.name).toSorted(), ['one', 'quatre', 'three', 'two'])
})

configuring('a function folder, a file, a zip and a folder with functions in it are all found', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'functions/inner/index.ts': '',
    'single/index.ts': '',
    'file.ts': '',
    'packed.zip': 'PK',
  })

  const names = async (...parts: string[]): Promise<string[]> =>
    (await loadProject([folder.join('p', ...parts)])).functions.map((one) => one.name)

  assert.equal(await names('single'), ['single'])
  assert.equal(await names('file.ts'), ['file'])
  assert.equal(await names('packed.zip'), ['packed'])
  assert.equal((await loadProject([path])).functions.map((one) => one.name).toSorted(), ['inner', 'single'])
})

configuring('`config` is read without running the rest of the file or what it imports', async () => {
  using folder = temporaryDirectory()
  const marker = folder.join('ran')
  const path = project(folder, {
    'f/index.ts': `import { writeFileSync } from 'node:fs'
      import type { FunctionConfig } from 'lambent'
      import './heavy.ts'
      import { memory } from './sizes.ts'
      import { nothing } from 'not-installed'
      // export const config = { memoryMb: 1 }
      const text = \`
export const config = { memoryMb: 2 }
\`
      const pattern = /["'\`{(]/
      const seconds = (count: number) => \`\${count}s\` as const
      writeFileSync(${JSON.stringify(marker)}, 'ran')
      await nothing()
      export const config = {
        memoryMb: memory * 2,
        timeout: seconds(30), // half a minute
        env: { GREETING: 'a; b } c', [\`KEY_\${1}\`]: "it's" },
      } satisfies FunctionConfig
      export const handler = async () => text + pattern.source`,
    'f/heavy.ts': `throw new Error('heavy was loaded')`,
    'f/sizes.ts': `export const memory = 128`,
  })

  const { functions } = await loadProject([path])

  assert.equal(functions[0]?.config, {
    memoryMb: 256,
    timeout: 30_000,
    env: { GREETING: 'a; b } c', KEY_1: "it's" },
  })
  assert.not.ok(existsSync(marker))
})

for (const [form, source] of Object.entries({
  'a list of exports': `const config = { cpu: 2 }\nexport { config, config as other }`,
  'a renamed export': `const settings = { cpu: 2 }\nexport { settings as config }`,
  'an export from another file': `export { config } from './other.ts'`,
  'a destructured constant': `const { made: config } = { made: { cpu: 2 } }\nexport { config }`,
  'a function call': `function make(cpu: number) { return { cpu } }
    export const unused = 1, config = make(2)`,
}))
  configuring(`${form} gives the configuration`, async () => {
    using folder = temporaryDirectory()
    project(folder, { 'f/index.ts': source, 'f/other.ts': `export const config = { cpu: 2 }` })

    assert.equal(await readConfigExport(folder.join('p/f/index.ts')), { cpu: 2 })
  })

configuring('all problems of all files are reported together, with suggestions', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'one/index.ts': `export const config = { memory: 5, timeOut: '3s', cpu: -1, wibble: 1 }`,
    'two/index.ts': `export const config = { timeout: '3 parsecs', url: { streaming: true } }`,
    'three/index.ts': `export const config = {`,
    'four/index.ts': `const fail = () => { throw new Error('on purpose') }\nexport const config = fail()`,
    'bad name/index.ts': ``,
  })

  const error = await rejects(loadProject([path]))

  assert.instance(error, ProjectError)
  for (const expected of [
    /one\/index\.ts: config: there is no setting "memory"\. Did you mean "memoryMb"\?/,
    /one\/index\.ts: config: there is no setting "timeOut"\. Did you mean "timeout"\?/,
    /one\/index\.ts: config: there is no setting "wibble"\.$/m,
    /one\/index\.ts: config: cpu: /,
    /two\/index\.ts: config: timeout: "3 parsecs" is not a duration/,
    /two\/index\.ts: config: there is no setting "url\.streaming"\. Did you mean "stream"\?/,
    /three\/index\.ts:1:\d+: /,
    /four\/index\.ts: .*on purpose/,
    /"bad name" is no name for a function/,
  ])
    assert.match(error.message, expected)
})

configuring("a `config` of plain Lambda code that is not Lambent's is ignored with a warning", async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'plain/index.mjs': `export const config = { api: { bodyParser: false } }\nexport const handler = () => 1`,
  })

  const { functions, warnings } = await loadProject([path])

  assert.equal(functions[0]?.config, {})
  assert.match(warnings.join(), /ignored, because it is not Lambent's/)
})

configuring('lambent.config.ts names functions, and its temporary file is gone', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'lambent.config.ts': `import { defineConfig } from 'lambent'
      export default defineConfig({ functions: {
        api: {
          entry: 'src/api.ts', handler: 'main', timeout: '2m',
          url: { auth: 'iam', cors: { maxAge: '1h' } },
        },
        worker: { entry: './worker' },
      } })`,
    'src/api.ts': `export const main = () => 1`,
    'worker/index.js': `exports.handler = () => 1`,
    'functions/beside/index.ts': ``,
  })

  const { functions, configFiles } = await loadProject([path])

  assert.equal(functions.map((one) => one.name).toSorted(), ['api', 'beside', 'worker'])
  assert.equal(functions.find((one) => one.name === 'api')?.config, {
    handler: 'main',
    timeout: 120_000,
    url: { auth: 'iam', cors: { maxAge: 3_600_000 } },
  })
  assert.equal(configFiles, [folder.join('p/lambent.config.ts')])
  assert.not.ok(readdirSync(path).some((name) => name.startsWith('.lambent-config')))
})

configuring('what is not built yet is a warning that says so', async () => {
  using folder = temporaryDirectory()
  const path = project(folder, {
    'lambent.config.ts': `export default {
      functions: { f: { entry: 'f.ts', durable: true } },
      schedules: { nightly: { expression: 'rate(1 day)', function: 'f' } },
    }`,
    'f.ts': '',
  })

  const { warnings } = await loadProject([path])

  assert.match(warnings.join('\n'), /lambent\.config\.ts: schedules is not built yet and has no effect/)
  assert.match(warnings.join('\n'), /functions\.f: durable is not built yet/)
})

configuring('a wrong entry, a name given twice and an empty folder are problems', async () => {
  using folder = temporaryDirectory()
  project(folder, {
    'a/lambent.config.ts': `export default { function: {} }`,
    'd/lambent.config.ts': `export default { functions: { f: { entry: 'gone.ts' } } }`,
    'b/same/index.ts': ``,
    'c/same/index.ts': ``,
    'empty/readme.md': ``,
  })

  const error = await rejects(
    loadProject(['a', 'b', 'c', 'd', 'empty', 'nowhere'].map((name) => folder.join('p', name))),
  )

  assert.match(error.message, /there is no setting "function"\. Did you mean "functions"\?/)
  assert.match(error.message, /functions\.f\.entry: there is no .*gone\.ts/)
  assert.match(error.message, /the function "same" is defined in .* too/)
  assert.match(error.message, /no function here/)
  assert.match(error.message, /there is no such file or folder/)
})

configuring.run()
