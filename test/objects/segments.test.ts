import { existsSync, linkSync, lstatSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isEngineError } from '../../runtime/errors.ts'
import { findNativeMapper } from '../../runtime/environments/native-mapper.ts'
import { writeLocation } from '../../runtime/objects/location.ts'
import { rejects } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'
import { until } from '../support/until.ts'
import { SegmentsWorld } from './segments-world.ts'
import { sumOf, valueOf } from './value-program.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void // the flag has made it

const values = suite('segments')
const hasMapper = findNativeMapper() !== undefined
const MB = 1e6

values('a value that one process wrote is mapped by others, who do not grow by it', async () => {
  await using world = new SegmentsWorld()
  const [maker, ...readers] = await Promise.all([world.process(), world.process(), world.process()])
  const { body } = await maker.place(64, 7)
  const before = await Promise.all(readers.map((reader) => reader.ask({ ask: 'memory' })))

  const read = await Promise.all(readers.map((reader) => reader.map(body)))

  const after = await Promise.all(readers.map((reader) => reader.ask({ ask: 'memory' })))
  for (const { sum, first } of read) {
    assert.is(first, 7)
    assert.is(sum, sumOf(valueOf(64 * 250_000, 7)))
  }
  after.forEach(({ heapBytes = 0, anonymousBytes = 0 }, index) => {
    assert.ok(heapBytes - (before[index]?.heapBytes ?? 0) < 20 * MB, 'the heap grew')
    if (hasMapper) assert.ok(anonymousBytes - (before[index]?.anonymousBytes ?? 0) < 32 * MB, 'memory grew')
  })
})

values('what one process writes to a value is its own', async () => {
  await using world = new SegmentsWorld()
  const [maker, writer, reader] = await Promise.all([world.process(), world.process(), world.process()])
  const { body } = await maker.place(2, 7)
  await writer.map(body)
  await reader.map(body)

  await writer.ask({ ask: 'write', name: 'value', value: 99 })

  assert.is((await writer.ask({ ask: 'sum', name: 'value' })).first, 99)
  assert.is((await reader.ask({ ask: 'sum', name: 'value' })).first, 7)
  assert.is((await writer.map(body, 'again')).first, 7, 'the object changed')
})

values('a value is given back when a process forgot it, and freed when nobody holds it', async () => {
  await using world = new SegmentsWorld()
  const [maker, reader] = await Promise.all([world.process(), world.process()])
  const { body } = await maker.place(4)
  await reader.map(body)
  const segment = world.segments.find(body)

  world.segments.release(body)
  assert.is(world.segments.usage.memory.usedBytes, segment.sizeBytes, 'freed while it is open')
  await reader.ask({ ask: 'forget', name: 'value' })

  await until('it is given back', () => segment.leases === 0, 20_000)
  assert.is(world.segments.usage.memory.usedBytes, 0)
  assert.is(world.segments.usage.count, 0)
})

values('a process that is killed while it has a value open frees it, and nobody else notices', async () => {
  await using world = new SegmentsWorld()
  const [maker, victim, reader] = await Promise.all([world.process(), world.process(), world.process()])
  const { body } = await maker.place(4, 3)
  await victim.map(body)
  await reader.map(body)

  await Promise.all([victim.kill(), maker.kill()])

  assert.is(world.segments.find(body).leases, 1)
  assert.is((await reader.ask({ ask: 'sum', name: 'value' })).sum, sumOf(valueOf(1_000_000, 3)))
  world.segments.release(body)
  await reader.kill()
  assert.is(world.segments.usage.memory.usedBytes, 0)
})

values('a process without the means to map reads, and holds nothing open', async () => {
  await using world = new SegmentsWorld()
  const [maker, reader] = await Promise.all([world.process(), world.process({ maps: false })])
  const { body } = await maker.place(2, 5)

  const { sum } = await reader.map(body)

  assert.is(sum, sumOf(valueOf(500_000, 5)))
  await until('it is given back', () => world.segments.find(body).leases === 0)
})

values('without shared memory values lie on disk', async () => {
  await using world = new SegmentsWorld({ memoryBase: '/proc/no-such-place' })
  const [maker, reader] = await Promise.all([world.process(), world.process()])

  const { body } = await maker.place(2, 5)

  assert.is(world.segments.find(body).place, 'disk')
  assert.is((await reader.map(body)).sum, sumOf(valueOf(500_000, 5)))
})

values('past a limit what was not used for longest moves to disk, and is there when it is used', async () => {
  await using world = new SegmentsWorld({ memoryMb: 10 })
  const [maker, reader] = await Promise.all([world.process(), world.process()])
  const first = await maker.place(4, 1)
  const second = await maker.place(4, 2)
  await reader.map(first.body)
  await reader.ask({ ask: 'forget', name: 'value' })
  await until('it is given back', () => world.segments.find(first.body).leases === 0, 20_000)

  const third = await maker.place(1, 3)
  await until('one moves', () => world.segments.usage.disk.usedBytes > 0)
  await world.segments.settled()

  assert.is(world.segments.find(first.body).place, 'memory', 'it was used a moment ago')
  assert.is(world.segments.find(second.body).place, 'disk')
  assert.is(world.segments.find(third.body).place, 'memory')
  assert.is((await reader.map(second.body)).sum, sumOf(valueOf(1_000_000, 2)))
  world.segments.release(second.body)
  await reader.kill()
  assert.is(world.segments.usage.disk.usedBytes, 0)
})

values('what is open stays in memory', async () => {
  await using world = new SegmentsWorld({ memoryMb: 10 })
  const [maker, reader] = await Promise.all([world.process(), world.process()])
  const open = await maker.place(4)
  await reader.map(open.body)

  const idle = await maker.place(5)
  await until('it moves', () => world.segments.find(idle.body).place === 'disk')

  assert.is(world.segments.find(open.body).place, 'memory')
  assert.is(world.segments.find(idle.body).isSpilling, false)
})

values(
  'a value larger than what is left in memory is written to disk, and one for which there is no room is refused',
  async () => {
    await using world = new SegmentsWorld({ memoryMb: 4, diskMb: 10 })
    const maker = await world.process()
    const large = await maker.place(8)
    assert.is(world.segments.find(large.body).place, 'disk')

    const failure = await rejects(maker.place(8))

    assert.is(failure.name, 'ObjectStoreFull')
    assert.match(failure.message, /no room for an object of 8 MB.*LAMBENT_OBJECT_STORE_MB/)
    world.segments.release(large.body)
    await maker.place(8)
  },
)

values('the engine refuses what a process wrote without looking', async () => {
  await using world = new SegmentsWorld({ memoryMb: 4, diskMb: 1 })
  const { id, memory } = world.environment()
  const path = join(memory ?? '', 'w1')
  writeFileSync(path, Buffer.alloc(8 * MB))

  const told = writeLocation({ file: 'w1', where: 'memory', parts: [[0, 8 * MB]], refs: [] })
  assert.throws(
    () => world.segments.adopt(id, told),
    (error: unknown) => isEngineError(error, 'throttled') && error.detail === 'object-store-full',
  )

  await until('the file is gone', () => !existsSync(path))
  assert.is(world.segments.usage.memory.usedBytes, 0)
})

values('a process that tells of a value that is not there breaks the protocol', async () => {
  await using world = new SegmentsWorld()
  const { id, memory } = world.environment()
  const tell = (file: string, bytes = 1): (() => void) => {
    const body = Buffer.from(JSON.stringify({ file, where: 'memory', parts: [[0, bytes]], refs: [] }))
    return () => void world.segments.adopt(id, body)
  }
  writeFileSync(join(memory ?? '', 'short'), 'x')
  writeFileSync(join(memory ?? '', 'twice'), 'x')
  linkSync(join(memory ?? '', 'twice'), join(memory ?? '', 'other'))

  const isRange = (error: unknown): boolean => error instanceof RangeError
  for (const broken of [tell('none'), tell('../short'), tell('short', 2), tell('twice'), tell('room')])
    assert.throws(broken, isRange)
  assert.throws(() => world.segments.giveBack(id, 's1:1'), isRange)
  assert.not.throws(tell('short'))
})

values('a value that nobody keeps is freed once it was open, or cannot be named any more', async () => {
  await using world = new SegmentsWorld()
  const { id, memory } = world.environment()
  const adopt = (file: string): Buffer => {
    writeFileSync(join(memory ?? '', file), Buffer.alloc(1000))
    return world.segments.adopt(id, writeLocation({ file, where: 'memory', parts: [[0, 10]], refs: [] }))
  }
  const opened = adopt('w1')
  adopt('w2')
  assert.is(world.segments.usage.count, 2)

  world.segments.lend(opened, id)
  world.segments.giveBack(id, `${opened.toString()}:1`)

  assert.is(world.segments.usage.count, 1)
  await until('it is freed', () => {
    collectGarbage()
    return world.segments.usage.count === 0
  })
})

values(
  'the memory of a freed value is written again by its maker, and given back after a while',
  async () => {
    const clock = createFakeClock()
    await using world = new SegmentsWorld({ clock })
    const maker = await world.process()
    const inodeOf = (body: Buffer): number =>
      lstatSync(world.folders.segmentPath('memory', world.segments.find(body).name)).ino
    const first = await maker.place(4)
    const inode = inodeOf(first.body)
    world.segments.release(first.body)
    assert.is(world.segments.usage.memory.spareBytes, 4 * MB + 64)

    const second = await maker.place(3, 9)

    assert.is(inodeOf(second.body), inode)
    assert.is(world.segments.usage.memory.spareBytes, 0)
    assert.is((await maker.map(second.body)).sum, sumOf(valueOf(750_000, 9)))
    world.segments.release((await maker.place(4)).body)
    assert.ok(world.segments.usage.memory.spareBytes > 0)
    await clock.advance(5000)
    assert.is(world.segments.usage.memory.spareBytes, 0)
  },
)

values('the memory of a value that another function had is never written again', async () => {
  await using world = new SegmentsWorld()
  const [maker, stranger] = await Promise.all([
    world.process({ domain: 'one' }),
    world.process({ domain: 'two' }),
  ])
  const { body } = await maker.place(4)
  await stranger.map(body)
  await stranger.kill()

  world.segments.release(body)

  assert.is(world.segments.usage.memory.spareBytes, 0)
  assert.is(world.segments.usage.memory.usedBytes, 0)
})

values('a process finds nothing but what it was given', async () => {
  await using world = new SegmentsWorld()
  const [maker, reader] = await Promise.all([world.process(), world.process()])
  const given = await maker.place(1)
  await maker.place(1)

  await reader.map(given.body)

  const folder = world.folders.environmentPath('memory', reader.id, '')
  assert.equal(readdirSync(folder).toSorted(), ['room', world.segments.find(given.body).name])
})

values.run()
