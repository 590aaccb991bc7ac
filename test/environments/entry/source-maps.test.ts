import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { temporaryDirectory } from '../../support/temporary.ts'
import { NODES, TestEnvironment } from './test-engine.ts'

const SOURCE = `// line 1
interface Wish { deep: boolean }

export async function handler(event: Wish): Promise<string> {
  if (event.deep) thrower('here')
  return new Error('stack').stack ?? ''
}

function thrower(text: string): never {
  throw new RangeError(text)
}
`

/** The bundle's files, made as a deploy makes them. */
async function bundle(
  format: 'cjs' | 'esm',
  sourcemap: 'linked' | 'inline',
): Promise<Record<string, string>> {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('source'))
  writeFileSync(folder.join('source', 'handler.ts'), SOURCE)
  const name = format === 'cjs' ? 'index.js' : 'index.mjs'
  await build({
    bundle: true,
    platform: 'node',
    minify: true,
    format,
    sourcemap,
    outfile: folder.join('out', name),
    entryPoints: [folder.join('source', 'handler.ts')],
  })
  const names = readdirSync(folder.join('out'))
  return Object.fromEntries(names.map((file) => [file, readFileSync(folder.join('out', file), 'utf8')]))
}

for (const node of NODES) {
  const mapping = suite(`source maps with ${node}`)

  for (const format of ['cjs', 'esm'] as const)
    for (const sourcemap of ['linked', 'inline'] as const)
      mapping(`stacks of ${format} with a map ${sourcemap} show original lines`, async () => {
        const files = await bundle(format, sourcemap)
        await using environment = await TestEnvironment.start({ node, files })

        const failed = await environment.invoke({ deep: true })
        const plain = await environment.invoke({})

        const { trace } = JSON.parse(failed.text) as { trace: string[] } // error JSON
        assert.is(trace[0], 'RangeError: here')
        assert.match(trace[1] ?? '', /^ {4}at .*\/source\/handler\.ts:10:9\)$/)
        assert.match(trace[2] ?? '', /^ {4}at .*\/source\/handler\.ts:5:19\)$/)
        assert.match(JSON.parse(plain.text), /^Error: stack\n {4}at .*\/source\/handler\.ts:6:10/)
      })

  const UNMAPPED: [states: string, files: Record<string, string>][] = [
    ['no map', {}],
    ['a map that is not there', { comment: '//# sourceMappingURL=absent.js.map' }],
    ['a map that is not JSON', { comment: '//# sourceMappingURL=index.js.map', 'index.js.map': '{' }],
    ['an inline map that is not one', { comment: '//# sourceMappingURL=data:application/json;base64,e30=' }],
  ]
  for (const [states, { comment = '', ...rest }] of UNMAPPED)
    mapping(`with ${states} the code's own lines are shown`, async () => {
      const files = {
        ...rest,
        'index.js': `exports.handler = async () => { throw new Error('x') }\n${comment}\n`,
      }
      await using environment = await TestEnvironment.start({ node, files })

      const { trace } = JSON.parse((await environment.invoke()).text) as { trace: string[] } // error JSON

      assert.match(trace[1] ?? '', /\/task\/index\.js:1:39\)$/)
    })

  mapping('an error whose text throws still has a stack', async () => {
    const body = `exports.handler = async () => Object.defineProperty(new Error(), 'message', { get() { throw 1 } }).stack`
    await using environment = await TestEnvironment.start({ node, files: { 'index.js': body } })

    assert.match((await environment.invoke()).text, /^"<error>\\n {4}at /)
  })

  mapping.run()
}
