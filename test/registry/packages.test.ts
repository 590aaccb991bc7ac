import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../../runtime/log.ts'
import {
  createCodePackages,
  type CodePackagesOptions,
  type KeptPackages,
} from '../../runtime/registry/packages.ts'
import { systemRng } from '../../runtime/rng.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { zipOf } from './zip-bytes.ts'

const packages = suite('code packages')

const clock = createFakeClock()
const log = createLog({ level: 'silent', clock, sink: () => {} })

/** Opens the packages of a folder; the threads end with the scope. */
async function openPackages(
  folder: TemporaryDirectory,
  options: Partial<CodePackagesOptions> = {},
): Promise<KeptPackages & AsyncDisposable> {
  const directory = folder.join('packages')
  const kept = await createCodePackages({ directory, clock, rng: systemRng(), log, ...options })
  return Object.assign(kept, { [Symbol.asyncDispose]: () => kept.close() })
}

const SMALL = zipOf([
  { name: 'index.js', content: 'exports.handler = () => 1', deflate: true },
  { name: 'lib/run', content: '#!', mode: 0o100755 },
  { name: 'lib/link', content: 'run', mode: 0o120777 },
])
const MANY = zipOf(
  Array.from({ length: 40 }, (_, index) => ({ name: `d${index % 4}/f${index}.js`, content: `${index}` })),
)
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

packages('a zip is kept byte for byte under its hash, its files read-only', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)

  const added = await kept.add(SMALL)

  assert.is(added.id, sha256(SMALL).toString('hex'))
  assert.is(added.sha256, sha256(SMALL).toString('base64'))
  assert.is(added.sizeBytes, SMALL.length)
  assert.ok(readFileSync(added.zipPath).equals(SMALL))
  assert.is(readFileSync(join(added.directory, 'index.js'), 'utf8'), 'exports.handler = () => 1')
  assert.is(lstatSync(join(added.directory, 'index.js')).mode & 0o7777, 0o444)
  assert.is(statSync(folder.join('packages')).mode & 0o7777, 0o711)
  assert.is(statSync(dirname(added.directory)).mode & 0o7777, 0o755)
  assert.equal(readdirSync(folder.join('packages', '.staging')), [])
})

packages('the same zip is one package, also when it is added many times at once', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)

  const added = await Promise.all([kept.add(SMALL), kept.add(Buffer.from(SMALL)), kept.add(SMALL)])
  const inode = statSync(join(added[0].directory, 'index.js')).ino
  await kept.add(SMALL)

  assert.is(new Set(added.map((one) => one.directory)).size, 1)
  assert.is(statSync(join(added[0].directory, 'index.js')).ino, inode)
  assert.equal(readdirSync(folder.join('packages')).toSorted(), ['.staging', added[0].id].toSorted())
})

packages('a refused zip leaves nothing behind and says why', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder, { maxZipBytes: 2000, limits: { maxUnpackedBytes: 1000 } })

  const bad = await rejectsWith(kept.add(zipOf([{ name: '../evil' }])), 'invalid')
  const bomb = await rejectsWith(
    kept.add(zipOf([{ name: 'a', content: Buffer.alloc(5000), deflate: true }])),
    'invalid',
  )
  const big = await rejectsWith(kept.add(Buffer.alloc(2001)), 'invalid')

  assert.equal([bad.detail, bomb.detail, big.detail], ['bad-zip', 'unzipped-too-large', 'zip-too-large'])
  assert.equal(readdirSync(folder.join('packages')), ['.staging'])
  assert.equal(readdirSync(folder.join('packages', '.staging')), [])
})

packages(
  'what an interrupted add left behind is removed at the next start, whole packages stay',
  async () => {
    using folder = temporaryDirectory()
    {
      await using first = await openPackages(folder)
      await first.add(SMALL)
    }
    mkdirSync(folder.join('packages', '.staging', 'half'))
    writeFileSync(folder.join('packages', '.staging', 'half', 'package.zip'), 'half')

    await using second = await openPackages(folder)
    const found = await second.get(sha256(SMALL).toString('hex'))

    assert.equal(readdirSync(folder.join('packages', '.staging')), [])
    assert.is(found.sizeBytes, SMALL.length)
    await second.verify(found.id)
  },
)

packages('a package that nobody added is not found', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)

  await rejectsWith(kept.get('0'.repeat(64)), 'not-found')
  await rejectsWith(kept.get('../../etc'), 'not-found')
})

for (const [damage, harm] of Object.entries<(task: string) => void>({
  'a file that is gone': (task) => rmSync(join(task, 'index.js')),
  'a file that was cut short': (task) => {
    chmodSync(join(task, 'index.js'), 0o644)
    writeFileSync(join(task, 'index.js'), 'exp')
  },
  'a link that became a file': (task) => {
    rmSync(join(task, 'lib/link'))
    writeFileSync(join(task, 'lib/link'), '')
  },
  'a zip that was cut short': (task) => writeFileSync(join(task, '../package.zip'), 'PK'),
  'a manifest that is no JSON': (task) => writeFileSync(join(task, '../manifest.json'), '{'),
}))
  packages(`${damage} is found when the package is loaded, and adding the zip again repairs it`, async () => {
    using folder = temporaryDirectory()
    let task = ''
    {
      await using first = await openPackages(folder)
      task = (await first.add(SMALL)).directory
    }
    chmodSync(join(task, '../package.zip'), 0o600)
    chmodSync(join(task, '../manifest.json'), 0o600)
    harm(task)

    await using second = await openPackages(folder)
    const error = await rejectsWith(second.get(sha256(SMALL).toString('hex')), 'internal')
    const repaired = await second.add(SMALL)

    assert.is(error.detail, 'package-damaged')
    await second.verify(repaired.id)
  })

packages('a byte changed in place is found by reading everything', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)
  const { id, directory } = await kept.add(SMALL)
  chmodSync(join(directory, 'index.js'), 0o644)
  writeFileSync(join(directory, 'index.js'), 'exports.handler = () => 2')

  const error = await rejectsWith(kept.verify(id), 'internal')

  assert.match(error.message, '"index.js" has changed')
})

for (const [size, zip] of [
  ['few', SMALL],
  ['many', MANY],
] as const)
  packages(`a package of ${size} files is laid out with hard links`, async () => {
    using folder = temporaryDirectory()
    await using kept = await openPackages(folder)
    const added = await kept.add(zip)
    mkdirSync(folder.join('target'))

    await kept.link(added, folder.join('target'))

    const names = (path: string): string[] =>
      readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted()
    assert.equal(names(folder.join('target')), names(added.directory))
    const file = size === 'few' ? 'index.js' : 'd3/f39.js'
    assert.is(statSync(folder.join('target', file)).ino, statSync(join(added.directory, file)).ino)
  })

packages('a package on another device is copied', async () => {
  if (!existsSync('/dev/shm')) return
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)
  const added = await kept.add(SMALL)
  const target = join('/dev/shm', `lambent-test-${process.pid}`)
  mkdirSync(target)
  try {
    await kept.link(added, target)

    assert.is(readFileSync(join(target, 'index.js'), 'utf8'), 'exports.handler = () => 1')
    assert.is(readFileSync(join(target, 'lib/link'), 'utf8'), '#!')
    assert.is(lstatSync(join(target, 'lib/run')).mode & 0o7777, 0o555)
  } finally {
    rmSync(target, { recursive: true })
  }
})

packages('a code cache is found for the Node version that it was made with only', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)
  const added = await kept.add(SMALL)
  const before = kept.codeCachePath(added, 'v20.19.0')

  await kept.saveCodeCache(added, 'v20.19.0', Buffer.from('compiled'))

  assert.is(before, undefined)
  assert.is(readFileSync(kept.codeCachePath(added, 'v20.19.0') ?? '', 'utf8'), 'compiled')
  assert.is(kept.codeCachePath(added, 'v24.0.0'), undefined)
})

packages('a sweep removes what is neither wanted nor young, also after it was added again', async () => {
  using folder = temporaryDirectory()
  await using kept = await openPackages(folder)
  const wanted = await kept.add(SMALL)
  const unwanted = await kept.add(MANY)
  const present = (id: string): boolean => existsSync(folder.join('packages', id))

  await kept.sweep(new Set([wanted.id]))
  const young = present(unwanted.id)
  await clock.advance(3_600_001)
  await kept.add(MANY)
  await kept.sweep(new Set([wanted.id]))
  const renewed = present(unwanted.id)
  await clock.advance(3_600_001)
  await kept.sweep(new Set([wanted.id]))

  assert.ok(young)
  assert.ok(renewed)
  assert.not.ok(present(unwanted.id))
  assert.ok(present(wanted.id))
  await rejectsWith(kept.get(unwanted.id), 'not-found')
  assert.equal(readdirSync(folder.join('packages', '.staging')), [])
})

packages.run()
