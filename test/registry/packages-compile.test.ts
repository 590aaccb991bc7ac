import { existsSync, statSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { createCompile } from '../../runtime/registry/package-compile.ts'
import { createCodePackages, type KeptPackages } from '../../runtime/registry/packages.ts'
import { systemRng } from '../../runtime/rng.ts'
import { rejects } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { zipOf } from './zip-bytes.ts'

const compiling = suite('compiling packages ahead of time')

const NODE = { nodePath: process.execPath, nodeVersion: process.version }

interface Opened extends AsyncDisposable {
  readonly packages: KeptPackages
  readonly compile: ReturnType<typeof createCompile>
  readonly lines: string[]
}

async function open(folder: TemporaryDirectory): Promise<Opened> {
  const lines: string[] = []
  const log = createLog({ level: 'debug', clock: systemClock, sink: (line) => lines.push(line) })
  const options = { clock: systemClock, rng: systemRng(), log }
  const packages = await createCodePackages({ directory: folder.join('packages'), ...options })
  return {
    packages,
    compile: createCompile({ packages, ...options, shownRoot: '/var/task' }),
    lines,
    [Symbol.asyncDispose]: () => packages.close(),
  }
}

compiling('a CommonJS package gets a code cache, and its code does not run', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder)
  const { packages, compile } = opened
  const content = `require('fs').writeFileSync(${JSON.stringify(folder.join('ran'))}, '')
    exports.handler = () => 1`
  const added = await packages.add(zipOf([{ name: 'index.cjs', content }]))

  await compile(added, 'index.handler', NODE)

  const path = packages.codeCachePath(added, NODE.nodeVersion) ?? ''
  assert.ok(statSync(path).size > 0, opened.lines.join('\n'))
  assert.not.ok(existsSync(folder.join('ran')))
})

compiling('code that cannot be compiled gets none, and that is no failure', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder)
  const { packages, compile } = opened
  const added = await packages.add(zipOf([{ name: 'index.cjs', content: 'this is no code' }]))

  await compile(added, 'index.handler', NODE)
  await compile(added, 'index.handler', { nodePath: '/nowhere/node', nodeVersion: 'v0' })

  assert.is(packages.codeCachePath(added, NODE.nodeVersion), undefined)
  assert.is(opened.lines.filter((line) => line.includes('no code cache made')).length, 2)
})

compiling('a compile that is cancelled ends its process', async () => {
  using folder = temporaryDirectory()
  await using opened = await open(folder)
  const { packages, compile } = opened
  writeFileSync(folder.join('slow.sh'), `#!/bin/sh\ntouch ${folder.join('started')}\nexec sleep 60\n`, {
    mode: 0o755,
  })
  const added = await packages.add(zipOf([{ name: 'index.cjs' }]))
  const controller = new AbortController()

  const compiled = compile(
    added,
    'index.handler',
    { nodePath: folder.join('slow.sh'), nodeVersion: 'v1' },
    controller.signal,
  )
  await until('the compiler runs', () => existsSync(folder.join('started')))
  controller.abort(new Error('no longer needed'))

  assert.is((await rejects(compiled)).message, 'no longer needed')
})

compiling.run()
