import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { SegmentFolders } from '../../runtime/objects/segment-folders.ts'
import { systemRng } from '../../runtime/rng.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until, within } from '../support/until.ts'

const folders = suite('segment folders')
const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })

/** Folders in a process of their own, as another engine has them. */
async function otherEngine(dataDirectory: string, memoryBase: string) {
  mkdirSync(dataDirectory, { recursive: true })
  const program = fileURLToPath(new URL('./folders-program.ts', import.meta.url))
  const child = fork(program, [dataDirectory, memoryBase], { execArgv: ['--import', 'tsx'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const made = new Promise<string>((resolve) => child.once('message', (path: string) => resolve(path)))
  const tree = dirname(await within('the other engine', made, 30_000))
  return {
    tree,
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function open(folder: TemporaryDirectory, name: string): SegmentFolders {
  const dataDirectory = folder.join(name)
  mkdirSync(dataDirectory, { recursive: true })
  return new SegmentFolders({ dataDirectory, memoryBase: folder.join('shm'), rng: systemRng(), log })
}

folders('what a killed engine left is removed, and what a running one has is not', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('shm'))
  const killed = await otherEngine(folder.join('one'), folder.join('shm'))
  const running = await otherEngine(folder.join('two'), folder.join('shm'))
  await killed.kill()
  writeFileSync(folder.join('shm', 'not-ours'), '')

  const opened = open(folder, 'three')

  await until('the tree is removed', () => !existsSync(killed.tree))
  assert.ok(existsSync(running.tree))
  assert.ok(existsSync(folder.join('shm', 'not-ours')))
  await opened.close()
  await running.kill()
})

folders('everything of the same data directory is an earlier engine’s, whose lock we hold', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('shm'))
  const earlier = await otherEngine(folder.join('one'), folder.join('shm'))
  const disk = folder.join('one', 'objects')
  const [left = ''] = readdirSync(disk)

  const opened = open(folder, 'one')

  await until('both trees are removed', () => !existsSync(earlier.tree) && !existsSync(join(disk, left)))
  await earlier.kill()
  await opened.close()
  assert.equal(readdirSync(folder.join('shm')), [])
  assert.equal(readdirSync(disk), [])
})

folders('a folder is its environment’s alone, and goes with it', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('shm'))
  const opened = open(folder, 'one')

  const { memory, disk } = opened.make('an-environment', null)

  assert.is(statSync(memory ?? '').mode & 0o777, 0o700)
  assert.is(statSync(disk ?? '').mode & 0o777, 0o700)
  opened.remove('an-environment')
  await until('both are removed', () => !existsSync(memory ?? '') && !existsSync(disk ?? ''))
  await opened.close()
})

folders.run()
