import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  consoleInDeploy,
  docstrings,
  fileLength,
  lineLength,
  namedExports,
  plainTypescript,
  sqlInStore,
  timeIsInjected,
} from './support/tidy/code-rules.ts'
import { importCycles, importDirection, noBarrels, packageImports } from './support/tidy/import-rules.ts'
import { sourceFile, type Finding, type SourceFile } from './support/tidy/source.ts'
import { noSleeps, uvuTraps } from './support/tidy/test-rules.ts'
import { readTree } from './support/tidy/tree.ts'
import { kebabCase, noForeignPlaces, pinnedDependencies } from './support/tidy/tree-rules.ts'

/** One rule, what it must catch and what it must let pass: `[path, text]` each. */
interface Rule {
  readonly states: string
  readonly check: (file: SourceFile) => Finding[]
  readonly bad: readonly (readonly [path: string, text: string])[]
  readonly good: readonly (readonly [path: string, text: string])[]
}

const RULES: readonly Rule[] = [
  {
    states: 'imports point one way',
    check: importDirection,
    bad: [
      ['runtime/store/a.ts', `import { b } from '../registry/b.ts'`],
      ['runtime/store/a.ts', `import type { b } from '../sdk/b.ts'`],
      ['runtime/log.ts', `import { b } from './store/b.ts'`],
      ['runtime/scheduler/a.ts', `const { b } = await import('../invoke/b.ts')`],
      ['runtime/invoke/a.ts', `export { b } from '../index.ts'`],
      ['runtime/index.ts', `import { b } from '../adapters/guard.ts'`],
      ['adapters/guard.ts', `import { b } from '../deploy/api.ts'`],
      ['adapters/guard.ts', `import { b } from './main.ts'`],
      ['deploy/api.ts', `import { b } from '../adapters/guard.ts'`],
      ['functions/hello/index.ts', `import { b } from '../../runtime/index.ts'`],
      ['runtime/odd/a.ts', `import { b } from '../log.ts'`],
    ],
    good: [
      ['runtime/store/a.ts', `import { b } from './b.ts'\nimport { c } from '../errors.ts'`],
      ['runtime/log.ts', `import type { Clock } from './clock.ts'`],
      ['runtime/invoke/a.ts', `import { b } from '../scheduler/b.ts'\nimport { z } from 'zod'`],
      ['deploy/commands/start.ts', `await import('../../adapters/main.ts')`],
      ['runtime/store/a.ts', `// import { b } from '../registry/b.ts'\nconst text = "from '../invoke/b.ts'"`],
    ],
  },
  {
    states: 'SQLite is the store’s',
    check: packageImports,
    bad: [['runtime/registry/a.ts', `import Database from 'better-sqlite3'`]],
    good: [['runtime/store/a.ts', `import Database from 'better-sqlite3'`]],
  },
  {
    states: 'there are no barrels',
    check: noBarrels,
    bad: [
      ['runtime/store/index.ts', `export const a = 1`],
      ['runtime/store/a.ts', `export { b } from './b.ts'`],
      ['runtime/store/a.ts', `export type { B } from './b.ts'`],
    ],
    good: [
      ['runtime/sdk/index.ts', `export { b } from './b.ts'`],
      ['runtime/store/a.ts', `export const from = 'x'\nexport function b() { return 'y' }`],
    ],
  },
  {
    states: 'the language stays plain',
    check: plainTypescript,
    bad: [
      ['deploy/a.ts', `export * from './b.ts'`],
      ['deploy/a.ts', `export enum Colour { Red }`],
      ['deploy/a.ts', `namespace Inner { }`],
      ['deploy/a.ts', `class A { constructor(private readonly b: string) {} }`],
      ['deploy/a.ts', `class A {\n  private b = 1\n}`],
      ['deploy/a.ts', `const a: any = 1`],
      ['deploy/a.ts', `const a = b as any`],
      ['deploy/a.ts', `const a: Record<string, any> = {}`],
      ['deploy/a.ts', `const a = b!.c`],
      ['deploy/a.ts', `const a = b[0]!`],
      ['deploy/a.ts', `const a = call()!`],
    ],
    good: [
      ['deploy/a.ts', `const a = AbortSignal.any([b])\nconst c = !d && e !== f && g!=h`],
      ['deploy/a.ts', '// any enum!\nconst a = `any ${b} enum!`\nconst c = /any!/.test(d)'],
      ['deploy/a.ts', 'const a = `${b.map((c) => `any! ${c}`)}` // any'],
      [
        'deploy/a.ts',
        `const a = { any: 1 }\nclass B { readonly c = 1; constructor(d: readonly string[]) {} }`,
      ],
    ],
  },
  {
    states: 'exports have names',
    check: namedExports,
    bad: [['deploy/a.ts', `export default 1`]],
    good: [['lambent.config.ts', `export default {}`]],
  },
  {
    states: 'time and randomness are handed in',
    check: timeIsInjected,
    bad: [
      ['runtime/invoke/a.ts', `const at = Date.now()`],
      ['runtime/invoke/a.ts', `const at = new Date()`],
      ['runtime/environments/entry/a.ts', `setTimeout(() => {}, 1)`],
      ['adapters/guard.ts', `setInterval(() => {}, 1)`],
      ['adapters/guard.ts', `fetch(url, { signal: AbortSignal.timeout(1) })`],
      ['runtime/clock.ts', `Math.random()`],
      ['runtime/rng.ts', `Date.now()`],
    ],
    good: [
      ['runtime/clock.ts', `Date.now()`],
      ['runtime/environments/entry/clock.ts', `setTimeout(() => {}, 1)`],
      ['runtime/rng.ts', `Math.random()`],
      ['runtime/invoke/a.ts', `server.setTimeout(0)\nnew Date(atMs) // Date.now()`],
      ['test/a.ts', `Date.now()`],
    ],
  },
  {
    states: 'SQL lives in the store',
    check: sqlInStore,
    bad: [
      ['runtime/invoke/a.ts', `db.prepare('SELECT id FROM runs WHERE id = ?')`],
      ['adapters/a.ts', 'db.exec(`\n  INSERT INTO runs VALUES (1)`)'],
      ['deploy/a.ts', `const sql = 'DELETE FROM runs'`],
    ],
    good: [
      ['runtime/store/runs.ts', `db.prepare('SELECT id FROM runs WHERE id = ?')`],
      ['adapters/a.ts', `// 'SELECT id FROM runs'\nconst text = 'Select a function from the list'`],
    ],
  },
  {
    states: 'only commands print',
    check: consoleInDeploy,
    bad: [['runtime/invoke/a.ts', `console.log('a')`]],
    good: [
      ['deploy/commands/a.ts', `console.log('a')`],
      ['runtime/environments/entry/a.ts', `console.log('a')`],
      ['runtime/invoke/a.ts', `// console.log('a')\nconst a = 'console.log'`],
    ],
  },
  {
    states: 'lines fit the page',
    check: lineLength,
    bad: [
      ['deploy/a.ts', `const a = ${'b + '.repeat(30)}c`],
      ['deploy/a.ts', `// ${'word '.repeat(30)}`],
      ['deploy/a.ts', `/**\n * it's ${'word '.repeat(30)}\n */`],
    ],
    good: [
      ['deploy/a.ts', `const a = '${'word '.repeat(30)}'`],
      ['deploy/a.ts', `const a = \`${'word ${b} '.repeat(15)}\``],
    ],
  },
  {
    states: 'files stay short',
    check: fileLength,
    bad: [['deploy/a.ts', 'a()\n'.repeat(401)]],
    good: [['deploy/a.ts', 'a()\n'.repeat(400)]],
  },
  {
    states: 'exports of the engine say what they promise',
    check: docstrings,
    bad: [
      ['runtime/a.ts', `export const a = 1`],
      ['runtime/a.ts', `// no docstring\nexport async function a() {}`],
      ['runtime/a.ts', `/** A. */\n\nexport interface A {}`],
    ],
    good: [
      [
        'runtime/a.ts',
        `/** A. */\nexport const a = 1\nexport const b = 2\nexport type A = (typeof a)[number]`,
      ],
      ['runtime/a.ts', `/** A. */\nexport function a(b: 1): void\nexport function a(b: 2): void`],
      ['deploy/a.ts', `export const a = 1`],
    ],
  },
  {
    states: 'no test passes by accident',
    check: uvuTraps,
    bad: [
      ['test/a.test.ts', `const a = suite('a')\na('b', () => {})`],
      ['test/a.test.ts', `const a = suite('a')\nconst b = suite('b')\na.run()`],
      ['test/a.test.ts', `import { test } from 'uvu'\ntest('a', () => {})`],
      ['test/a.test.ts', `const a = suite('a')\na.only('b', () => {})\na.run()`],
      ['test/a.test.ts', `const a = suite('a')\na.before(() => {})\na.run()`],
      ['test/a.test.ts', `const a = suite('a')\na('b', () => assert.throws(async () => {}))\na.run()`],
      ['test/a.test.ts', `call()`],
    ],
    good: [
      ['test/a.test.ts', `const a = suite('a')\na.before.each(() => {})\na('b', () => {})\na.run()`],
      ['test/a.test.ts', `import { test } from 'uvu'\ntest('a', () => {})\ntest.run()`],
    ],
  },
  {
    states: 'no test sleeps',
    check: noSleeps,
    bad: [
      ['test/a.test.ts', `await new Promise((resolve) => setTimeout(resolve, 100))`],
      ['test/a.test.ts', `import { setTimeout } from 'node:timers/promises'`],
      ['test/a.test.ts', `await sleep(500)`],
    ],
    good: [['test/a.test.ts', `await clock.advance(500)\nawait clock.sleep(1)`]],
  },
  {
    states: 'files are named in kebab-case',
    check: kebabCase,
    bad: [
      ['deploy/fooBar.ts', ''],
      ['deploy/Foo/a.ts', ''],
      ['deploy/foo_bar.test.ts', ''],
    ],
    good: [
      ['deploy/foo-bar.test.ts', ''],
      ['README.md', ''],
      ['.ci/run', ''],
    ],
  },
  {
    states: 'dependencies are pinned',
    check: pinnedDependencies,
    bad: [
      ['package.json', '{"dependencies":{"a":"^1.0.0"}}'],
      ['functions/hello/package.json', '{"devDependencies":{"a":"latest"}}'],
    ],
    good: [['package.json', '{"dependencies":{"a":"1.0.0"}}']],
  },
  {
    states: 'nothing leads to one machine',
    check: noForeignPlaces,
    bad: [
      ['README.md', `see ${'/wor'}k/main`],
      ['deploy/a.ts', `const a = '${'/hom'}e/someone/b'`],
      ['README.md', `http${'://'}packages.corp.internal/npm`],
      ['package-lock.json', `"resolved": "https${'://'}npm.corp/a.tgz"`],
    ],
    good: [
      ['README.md', 'http://127.0.0.1:4700 and https://docs.aws.amazon.com/lambda/ and ./work/a'],
      ['package-lock.json', `"resolved": "functions/hello"`],
    ],
  },
]

const tidy = suite('tidy')
const tree = readTree(join(fileURLToPath(import.meta.url), '..', '..'))
const show = (findings: readonly Finding[]): string =>
  findings.map(({ path, line, message }) => `${path}:${line} ${message}`).join('\n')

for (const { states, check, bad, good } of RULES) {
  tidy(`the rule "${states}" catches what it is for`, () => {
    for (const [path, text] of bad) {
      assert.ok(check(sourceFile(path, text)).length > 0, `not caught in ${path}: ${text.slice(0, 200)}`)
    }
    for (const [path, text] of good) assert.is(show(check(sourceFile(path, text))), '')
  })

  tidy(`${states}`, () => {
    const findings = tree.flatMap(check)

    assert.is(show(findings), '')
  })
}

tidy('the cycle rule catches cycles of types, and of one', () => {
  const cycle = [
    sourceFile('runtime/a.ts', `import type { B } from './b.ts'`),
    sourceFile('runtime/b.ts', `import { c } from './c.ts'`),
    sourceFile('runtime/c.ts', `const { a } = await import('./a.ts')`),
    sourceFile('runtime/d.ts', `import { a } from './a.ts'`),
  ]

  assert.match(show(importCycles(cycle)), 'runtime/a.ts, runtime/b.ts, runtime/c.ts')
  assert.is(importCycles(cycle.slice(1)).length, 0)
  assert.is(importCycles([sourceFile('runtime/a.ts', `import { b } from './a.ts'`)]).length, 1)
})

tidy('no file imports itself over others', () => {
  assert.is(show(importCycles(tree)), '')
})

tidy('the tree was found', () => {
  assert.ok(tree.some((file) => file.path === 'runtime/errors.ts'))
  assert.ok(tree.length > 20)
})

tidy.run()
