import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../../runtime/clock.ts'
import { createNodeRuntimes } from '../../../runtime/environments/node-runtimes.ts'
import { createLog } from '../../../runtime/log.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { unlessMissing } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const resolving = suite('Node.js runtimes')
const ownMajor = Number(process.versions.node.split('.')[0])
/** A line that the engine's own Node.js is not of. */
const [otherMajor, otherVersion] = ownMajor === 22 ? [24, '24.21.0'] : [22, '22.23.3']
const platform = `node-${process.platform}-${process.arch}`

function runtimes(cacheDirectory: string) {
  const lines: string[] = []
  const log = createLog({ level: 'info', clock: systemClock, sink: (line) => lines.push(line) })
  return { lines, ...createNodeRuntimes({ cacheDirectory, clock: systemClock, rng: systemRng(), log }) }
}

resolving('the engine’s own Node.js runs its own line', async () => {
  using folder = temporaryDirectory()

  const own = await runtimes(folder.path).resolve(`nodejs${ownMajor}.x`)

  assert.equal(own, { nodePath: process.execPath, version: process.version, fallback: false })
})

resolving('what is in the cache is used without asking anybody', async () => {
  using folder = temporaryDirectory()
  const cached = folder.join(`${platform}@${otherVersion}`, 'bin', 'node')
  mkdirSync(folder.join(`${platform}@${otherVersion}`, 'bin'), { recursive: true })
  writeFileSync(cached, '')

  const found = await runtimes(folder.path).resolve(`nodejs${otherMajor}.x`)

  assert.equal(found, { nodePath: cached, version: `v${otherVersion}`, fallback: false })
})

resolving('what cannot be had falls back to the engine’s own and is announced once', async () => {
  using folder = temporaryDirectory()
  writeFileSync(folder.join('not-a-folder'), '')
  const { resolve, lines } = runtimes(folder.join('not-a-folder', 'cache'))

  const [first, second] = await Promise.all([
    resolve(`nodejs${otherMajor}.x`),
    resolve(`nodejs${otherMajor}.x`),
  ])
  const unknown = await resolve('nodejs99.x')

  assert.equal(first, { nodePath: process.execPath, version: process.version, fallback: true })
  assert.equal(second, first)
  assert.is(unknown.fallback, true)
  assert.is(lines.filter((line) => line.includes('cannot be had')).length, 1)
})

unlessMissing(resolving, whyUnreachable())(
  'another line is fetched once for all who ask, and a lock of a dead engine is taken over',
  async () => {
    using folder = temporaryDirectory()
    const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid']))
    writeFileSync(folder.join(`${platform}@${otherVersion}.lock`), String(dead))
    const engines = [runtimes(folder.path), runtimes(folder.path)]

    const found = await Promise.all(
      [...engines, ...engines].map((engine) => engine.resolve(`nodejs${otherMajor}.x`)),
    )

    const [first] = found
    for (const one of found) assert.equal(one, first)
    assert.is(first?.fallback, false)
    assert.is(
      execFileSync(first?.nodePath ?? '', ['--version'])
        .toString()
        .trim(),
      `v${otherVersion}`,
    )
    const fetches = engines.flatMap((engine) => engine.lines).filter((line) => line.includes('fetching'))
    assert.is(fetches.length, 1)
    assert.equal(readdirSync(folder.path), [`${platform}@${otherVersion}`])
    assert.ok(existsSync(first?.nodePath ?? ''))
  },
)

/** Why nothing can be fetched here; undefined when it can. */
function whyUnreachable(): string | undefined {
  try {
    execFileSync('npm', ['view', `${platform}@${otherVersion}`, 'version'], {
      stdio: 'pipe',
      timeout: 20_000,
    })
    return undefined
  } catch (error) {
    return `no registry offers ${platform}@${otherVersion}: ${String(error).split('\n')[0]}`
  }
}

resolving.run()
