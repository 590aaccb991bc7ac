import { lstatSync, mkdirSync, readFileSync, readlinkSync, readdirSync, existsSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { unpackZip } from '../../runtime/registry/zip.ts'
import { ZIP_LIMITS } from '../../runtime/registry/zip-plan.ts'
import { rejectsWith } from '../support/assert.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { zipOf, type ZipEntry } from './zip-bytes.ts'

const unzipping = suite('unzipping')

const BAD_ZIP = 'Could not unzip uploaded file. Please check your file, then try to upload again.'
const LINK = 0o120777

const ATTACKS: Record<string, [entries: ZipEntry[], reason: RegExp]> = {
  'a name that climbs': [[{ name: '../evil' }], /plain relative path/],
  'a name that climbs from within': [[{ name: 'a/../../evil' }], /plain relative path/],
  'an absolute name': [[{ name: '/etc/evil' }], /absolute/],
  'a drive letter': [[{ name: 'C:evil' }], /absolute/],
  'a backslash': [[{ name: 'a\\..\\evil' }], /backslash/],
  'a NUL': [[{ name: 'a\0.js' }], /NUL/],
  'an empty part': [[{ name: 'a//b' }], /plain relative path/],
  'a dot part': [[{ name: 'a/./b' }], /plain relative path/],
  'broken UTF-8': [[{ name: Buffer.from([0x61, 0xff, 0x62]) }], /UTF-8/],
  'a name over 255 bytes': [[{ name: 'a'.repeat(256) }], /over 255/],
  'the same file twice': [[{ name: 'a' }, { name: 'a' }], /twice/],
  'names that differ by case': [[{ name: 'Index.js' }, { name: 'index.js' }], /only by case/],
  'folders that differ by case': [[{ name: 'Lib/a' }, { name: 'lib/b' }], /only by case/],
  'names that differ by Unicode form': [[{ name: 'caf\u00e9' }, { name: 'cafe\u0301' }], /case or form/],
  'a file that is a folder too': [[{ name: 'a' }, { name: 'a/b' }], /twice/],
  'another name in its own header': [[{ name: 'a', localName: 'b' }], /another name/],
  'a link that climbs': [[{ name: 'l', mode: LINK, content: '../out' }], /points out/],
  'a link that is absolute': [[{ name: 'l', mode: LINK, content: '/etc/passwd' }], /points out/],
  'a link that leaves through another link': [
    [
      { name: 'a/b/up', mode: LINK, content: '../..' },
      { name: 'l', mode: LINK, content: 'a/b/up/../out' },
    ],
    /points out/,
  ],
  'a file below a link': [[{ name: 'l', mode: LINK, content: 'x' }, { name: 'l/evil' }], /twice/],
  'a link to itself': [[{ name: 'l', mode: LINK, content: './l' }], /itself/],
  'a device': [[{ name: 'd', mode: 0o020666 }], /neither/],
  'an encrypted file': [
    [{ name: 'a', flags: 0x0801, content: 'x'.repeat(12), declaredBytes: 0 }],
    /encrypted/,
  ],
  'an unknown method': [[{ name: 'a', method: 12 }], /method 12/],
  'a wrong checksum': [[{ name: 'a', content: 'x', crc32: 1 }], /checksum/],
  'more bytes than declared': [
    [{ name: 'a', content: 'x'.repeat(1e6), deflate: true, declaredBytes: 10 }],
    /cannot be inflated|larger/,
  ],
  'fewer bytes than declared': [
    [{ name: 'a', content: 'x'.repeat(10), deflate: true, declaredBytes: 1e6 }],
    /smaller/,
  ],
  'nesting past 64': [[{ name: `${'a/'.repeat(65)}b` }], /nested deeper/],
}

for (const [attack, [entries, reason]] of Object.entries(ATTACKS))
  unzipping(`${attack} is refused, and nothing lies outside the folder`, async () => {
    using folder = temporaryDirectory()
    mkdirSync(folder.join('in'))

    const error = await rejectsWith(
      unpackZip(zipOf(entries), folder.join('in', 'task'), ZIP_LIMITS),
      'invalid',
    )

    assert.is(error.message, BAD_ZIP)
    assert.is(error.detail, 'bad-zip')
    assert.match(error.hint ?? '', reason)
    assert.equal(readdirSync(folder.path), ['in'])
    assert.not.ok(existsSync(folder.join('in', 'evil')))
  })

unzipping('bytes that are no zip are refused', async () => {
  using folder = temporaryDirectory()
  const whole = zipOf([{ name: 'a', content: 'x' }])

  for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), whole.subarray(0, whole.length - 5)]) {
    const error = await rejectsWith(unpackZip(bytes, folder.join('task'), ZIP_LIMITS), 'invalid')
    assert.is(error.detail, 'bad-zip')
  }
})

unzipping('a zip that unpacks to more than the limit is refused before anything is written', async () => {
  using folder = temporaryDirectory()
  const bomb = zipOf([
    { name: 'a', content: Buffer.alloc(600_000), deflate: true },
    { name: 'b', content: Buffer.alloc(600_000), deflate: true },
  ])

  const error = await rejectsWith(
    unpackZip(bomb, folder.join('task'), { ...ZIP_LIMITS, maxUnpackedBytes: 1_000_000 }),
    'invalid',
  )

  assert.is(error.detail, 'unzipped-too-large')
  assert.is(error.message, 'Unzipped size must be smaller than 1000000 bytes')
  assert.not.ok(existsSync(folder.join('task')))
})

unzipping('more entries than the limit are refused, folders that are only implied included', async () => {
  using folder = temporaryDirectory()
  const limits = { ...ZIP_LIMITS, maxEntries: 3 }

  const many = await rejectsWith(
    unpackZip(zipOf(['a', 'b', 'c', 'd'].map((name) => ({ name }))), folder.join('one'), limits),
    'invalid',
  )
  const implied = await rejectsWith(
    unpackZip(zipOf([{ name: 'a/b/c/d' }]), folder.join('two'), limits),
    'invalid',
  )

  assert.is(many.detail, 'bad-zip')
  assert.is(implied.detail, 'bad-zip')
})

unzipping('files, modes, folders, empty files and links that stay inside are kept', async () => {
  using folder = temporaryDirectory()
  const zip = zipOf([
    { name: './index.js', content: 'exports.x = 1', deflate: true },
    { name: 'bin/run', content: '#!', mode: 0o100755 },
    { name: 'node_modules/', mode: 0o040755 },
    { name: 'node_modules/.bin/run', mode: LINK, content: '../../bin/run' },
    { name: 'empty' },
    { name: 'großß/é.txt', content: 'ü' },
  ])

  const tree = await unpackZip(zip, folder.join('task'), ZIP_LIMITS)

  assert.equal(tree.directories, ['bin', 'node_modules', 'node_modules/.bin', 'großß'])
  assert.is(readFileSync(folder.join('task', 'index.js'), 'utf8'), 'exports.x = 1')
  assert.is(lstatSync(folder.join('task', 'index.js')).mode & 0o7777, 0o444)
  assert.is(lstatSync(folder.join('task', 'bin/run')).mode & 0o7777, 0o555)
  assert.is(lstatSync(folder.join('task', 'empty')).size, 0)
  assert.is(lstatSync(folder.join('task')).mode & 0o7777, 0o755)
  assert.is(readlinkSync(folder.join('task', 'node_modules/.bin/run')), '../../bin/run')
  assert.is(readFileSync(folder.join('task', 'großß/é.txt'), 'utf8'), 'ü')
})

unzipping('a file past the streaming size comes out whole', async () => {
  using folder = temporaryDirectory()
  const content = Buffer.alloc(33 * 1024 * 1024, 'lambent ')

  await unpackZip(zipOf([{ name: 'big', content, deflate: true }]), folder.join('task'), ZIP_LIMITS)

  assert.ok(readFileSync(folder.join('task', 'big')).equals(content))
})

unzipping.run()
