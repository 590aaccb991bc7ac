import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../support/cli.ts'
import { startLambentProcess, type LambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { runProgram } from './programs.ts'

/** Functions as folders, far from any node_modules, deployed by the built program and run by its engine. */
const folders = suite('function folders')

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

function write(folder: TemporaryDirectory, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join(path)), { recursive: true })
    writeFileSync(folder.join(path), content)
  }
}

/** What a function answers to an event; a failure of it fails the test. */
async function answer(lambent: LambentProcess, name: string, event: unknown = {}): Promise<unknown> {
  const { code, stdout, stderr } = await lambent.run(['invoke', name, '-p', JSON.stringify(event)])
  assert.is(code, 0, stderr)
  return JSON.parse(stdout)
}

interface Outcome {
  readonly name: string
  readonly outcome: string
  readonly codeSha256: string
}

async function deploy(lambent: LambentProcess, path: string): Promise<Outcome[]> {
  const { code, stdout, stderr } = await lambent.run(['deploy', path, '--json'])
  assert.is(code, 0, stderr)
  return JSON.parse(stdout) as Outcome[] // what the command prints
}

const TYPESCRIPT = `import { context, type FunctionConfig, type Handler } from 'lambent'
import { shout } from '../../shared/shout.ts'

export const config = { memoryMb: 256, timeout: '20s', env: { MOOD: 'fine' } } satisfies FunctionConfig

interface Wish { readonly name: string }

export const handler: Handler<Wish> = async ({ name }) => {
  if (name === '') throw new RangeError('nobody')
  return { text: shout(name), mood: process.env.MOOD, memory: context.memoryLimitInMB }
}
`
const SHOUT = `export const shout = (text: string): string => {
  if (text === 'deep') throw new TypeError('too deep')
  return text.toUpperCase()
}
`
const MODULE = `import { readFile } from 'node:fs/promises'
const own = await readFile(new URL(import.meta.url), 'utf8')
export const handler = async () => ({ length: own.length > 0, meta: typeof import.meta.dirname })
`
const COMMON = `const { join } = require('node:path')
exports.handler = (event, context, callback) => callback(null, { joined: join('a', 'b'), main: typeof module })
`
const BESIDE = `import rules from './rules.json'
export const handler = async () => rules
`

folders('in TypeScript, ES modules and CommonJS run as they are, with lambent from nowhere', async () => {
  using folder = temporaryDirectory()
  write(folder, {
    'functions/typed/index.ts': TYPESCRIPT,
    'shared/shout.ts': SHOUT,
    'functions/module/index.mjs': MODULE,
    'functions/common/index.js': COMMON,
    'functions/beside/index.ts': BESIDE,
    'functions/beside/rules.json': '{"rule":1}',
  })
  await using lambent = await startLambentProcess(['--deploy', 'functions'], { cwd: folder.path })

  assert.equal(await answer(lambent, 'typed', { name: 'ada' }), { text: 'ADA', mood: 'fine', memory: '256' })
  assert.equal(await answer(lambent, 'common'), { joined: 'a/b', main: 'object' })
  assert.equal(await answer(lambent, 'beside'), { rule: 1 })
  assert.is(((await answer(lambent, 'module')) as { length: boolean }).length, true)
  assert.not.ok(existsSync(folder.join('node_modules')))

  const thrown = await lambent.run(['invoke', 'typed', '-p', '{"name":""}'])
  const deep = await lambent.run(['invoke', 'typed', '-p', '{"name":"deep"}'])

  assert.is(thrown.code, 1)
  assert.match(thrown.stderr, /^RangeError: nobody\n\s+at .*index\.ts:9:\d+/, thrown.stderr)
  assert.match(deep.stderr, /^TypeError: too deep\n\s+at .*shout\.ts:2:\d+[^]*index\.ts:10:\d+/, deep.stderr)
})

folders('in CommonJS may import at run time, in the first environment and in later ones', async () => {
  using folder = temporaryDirectory()
  const source = `exports.handler = async ({ name }) => {
    const { createHash } = await import('node:crypto')
    return createHash('sha1').update(name).digest('hex').slice(0, 6)
  }\n`
  write(folder, { 'functions/hash/index.js': source })
  await using lambent = await startLambentProcess(['--deploy', folder.join('functions')])

  // Code caches are made ahead of the first run and after it: both kinds are used here.
  const first = await answer(lambent, 'hash', { name: 'a' })
  const together = await Promise.all([1, 2, 3].map(() => answer(lambent, 'hash', { name: 'a' })))

  assert.is(first, '86f7e4')
  assert.equal(together, ['86f7e4', '86f7e4', '86f7e4'])
})

folders('that have not changed are left alone, and a change is live when deploy returns', async () => {
  using folder = temporaryDirectory()
  const source = (word: string): string => `export const handler = async () => '${word}'\n`
  write(folder, { 'functions/one/index.ts': source('old'), 'functions/two/index.ts': source('two') })
  await using lambent = await startLambentProcess(['--deploy', folder.join('functions')])
  const outcomes = (deployed: Outcome[]): string[] =>
    deployed.map(({ name, outcome }) => `${name} ${outcome}`)

  assert.equal(outcomes(await deploy(lambent, folder.join('functions'))), ['one unchanged', 'two unchanged'])
  assert.is(await answer(lambent, 'one'), 'old')
  write(folder, { 'functions/one/index.ts': source('new') })
  assert.equal(outcomes(await deploy(lambent, folder.join('functions'))), ['one updated', 'two unchanged'])
  assert.is(await answer(lambent, 'one'), 'new')

  write(folder, { 'functions/one/index.ts': 'export const handler = async () => {' })
  const broken = await lambent.run(['deploy', folder.join('functions')])

  assert.is(broken.code, 2)
  assert.match(broken.stderr, /one\/index\.ts:1:\d+/, broken.stderr)
  assert.is(await answer(lambent, 'one'), 'new')
})

const PROJECT = `import { defineConfig } from 'lambent'

export default defineConfig({
  functions: {
    greeter: { entry: 'src/greet.ts', handler: 'greet', env: { WORD: 'Hi' }, url: true, tags: { team: 'red' } },
    plain: { entry: 'src/plain.cjs', timeout: '5s' },
  },
})
`

folders('can be a project with a lambent.config.ts', async () => {
  using folder = temporaryDirectory()
  write(folder, {
    'lambent.config.ts': PROJECT,
    'src/greet.ts':
      'export const greet = async (event: { name?: string }) => `${process.env.WORD}, ${event.name}`\n',
    'src/plain.cjs': 'exports.handler = async () => ({ plain: true })\n',
  })
  await using lambent = await startLambentProcess(['--deploy', '.'], { cwd: folder.path })

  assert.is(await answer(lambent, 'greeter', { name: 'Ada' }), 'Hi, Ada')
  assert.equal(await answer(lambent, 'plain'), { plain: true })
  const listed = await lambent.run(['ls', 'functions', '--json'])
  const [greeter] = JSON.parse(listed.stdout) as { name: string; urls: { urlByPath: string }[] }[]
  const byUrl = await fetch(greeter?.urls[0]?.urlByPath ?? '')
  assert.is(await byUrl.text(), 'Hi, undefined')
})

folders('with mistakes start nothing: every problem is named, with its place', async () => {
  using folder = temporaryDirectory()
  write(folder, {
    'functions/slow/index.ts': `export const config = { timeout: '3 parsecs', memory: 5 }\nexport const handler = async () => 1\n`,
    'functions/lost/index.ts': `import { gone } from './gone.ts'\nexport const handler = gone\n`,
  })

  const places = ['--port', '0', '--http-port', '0', '--data', folder.join('data')]
  const wrong = await runCli(['start', ...places, '--deploy', folder.join('functions', 'slow')])
  const missing = await runCli(['start', ...places, '--deploy', folder.join('functions', 'lost')])
  const nowhere = await runCli(['start', ...places, '--deploy', folder.join('nowhere')])

  assert.is(wrong.code, 2)
  assert.is(wrong.stdout, '')
  assert.match(wrong.stderr, /slow\/index\.ts[^\n]*timeout/)
  assert.match(wrong.stderr, /slow\/index\.ts[^\n]*memory/)
  assert.match(wrong.stderr, /memoryMb/)
  assert.ok(missing.code === 1 || missing.code === 2, `${missing.code}: ${missing.stderr}`)
  assert.match(missing.stderr, /lost[^]*gone\.ts/)
  assert.is(nowhere.code, 2)
  assert.match(nowhere.stderr, /nowhere/)
})

folders('of a new project type-check and deploy', async () => {
  using folder = temporaryDirectory()
  const project = folder.join('my-project')
  const made = await runCli(['init', project])
  assert.is(made.code, 0, made.stderr)

  const [types, lambent] = await Promise.all([
    runProgram(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', project], {
      limitMs: 60_000,
    }),
    startLambentProcess(['--deploy', join(project, 'functions')]),
  ])
  await using _lambent = lambent

  assert.is(types.code, 0, types.stdout + types.stderr)
  assert.equal(await answer(lambent, 'hello', { name: 'Grace' }), { greeting: 'Hello, Grace!' })
})

folders.run()
