import { array, assert as check, constant, nat, oneof, property, record, boolean } from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isEngineError } from '../../runtime/errors.ts'
import { ERROR_FLAG, OBJECT_FLAG, ObjectTable, RefHolder } from '../../runtime/objects/object-table.ts'

const table = suite('object table')

/** Segments that only count who keeps them. */
function countedSegments() {
  const uses = new Map<string, number>()
  const refs = new Map<string, readonly string[]>()
  const change = (body: Buffer, by: number): void => {
    uses.set(body.toString(), (uses.get(body.toString()) ?? 0) + by)
  }
  return {
    uses,
    refs,
    retain: (body: Buffer) => change(body, 1),
    release: (body: Buffer) => change(body, -1),
    find: (body: Buffer) => ({ refs: refs.get(body.toString()) ?? [] }) as never, // all that is read of it
  }
}

/** What a program may do with refs: `who` and `which` are taken modulo what there is. */
const step = oneof(
  record({ do: constant('create' as const), who: nat(), large: boolean() }),
  record({
    do: constant('settle' as const),
    which: nat(),
    inner: array(nat(), { maxLength: 3 }),
  }),
  record({ do: constant('fail' as const), which: nat() }),
  record({ do: constant('hold' as const), who: nat(), which: nat() }),
  record({ do: constant('release' as const), who: nat(), which: nat() }),
  record({ do: constant('end' as const), who: nat() }),
)

table('what can be reached from a holder is there, and nothing else', () => {
  check(
    property(array(step, { maxLength: 60 }), (steps) => {
      const segments = countedSegments()
      const objects = new ObjectTable({ segments })
      const holders = Array.from({ length: 3 }, () => ({
        refs: new RefHolder(objects),
        ids: new Set<string>(),
      }))
      const known = new Map<string, { large: boolean; settled: boolean; inner: string[] }>()
      const ids: string[] = []
      const present = (which: number): string | undefined => {
        const there = ids.filter((id) => objects.find(id) !== undefined)
        return there[which % Math.max(there.length, 1)]
      }
      for (const one of steps) {
        const holder = holders['who' in one ? one.who % holders.length : 0]
        if (holder === undefined) continue
        if (one.do === 'create') {
          const id = `o1-${ids.length}`
          ids.push(id)
          known.set(id, { large: one.large, settled: false, inner: [] })
          objects.create(id, holder.refs)
          holder.ids.add(id)
        } else if (one.do === 'end') {
          holder.refs.end()
          holder.ids.clear()
        } else {
          const id = present(one.which)
          const entry = id === undefined ? undefined : objects.find(id)
          const facts = id === undefined ? undefined : known.get(id)
          if (id === undefined || entry === undefined || facts === undefined) continue
          if (one.do === 'hold') {
            holder.refs.hold(entry)
            holder.ids.add(id)
          } else if (one.do === 'release') {
            holder.refs.release(entry)
            holder.ids.delete(id)
          } else if (!facts.settled) {
            facts.settled = true
            // A value holds what was made before it: it was written when that was there.
            const inner = one.do === 'settle' ? one.inner.flatMap((which) => present(which) ?? []) : []
            facts.inner = [...new Set(inner)].filter((other) => ids.indexOf(other) < ids.indexOf(id))
            facts.large &&= one.do === 'settle'
            segments.refs.set(id, facts.inner)
            if (one.do === 'fail') objects.reject(entry, Buffer.from('error'))
            else objects.resolve(entry, facts.large ? OBJECT_FLAG : 0, Buffer.from(id), facts.inner)
          }
        }

        const reached = new Set<string>()
        const open = holders.flatMap((each) => [...each.ids])
        // One that is pending stays known to whoever makes it, whether anybody holds it or not.
        open.push(...ids.filter((id) => known.get(id)?.settled === false))
        for (let id = open.pop(); id !== undefined; id = open.pop()) {
          if (reached.has(id)) continue
          reached.add(id)
          open.push(...(known.get(id)?.inner ?? []))
        }
        const there = ids.filter((id) => objects.find(id) !== undefined)
        assert.equal(
          there,
          ids.filter((id) => reached.has(id)),
        )
        for (const [id, { large, settled }] of known)
          if (large && settled) assert.is(segments.uses.get(id), reached.has(id) ? 1 : 0, id)
        const inEngine = there.filter((id) => objects.find(id)?.flags === 0)
        assert.is(
          objects.valueBytes,
          inEngine.reduce((sum, id) => sum + id.length, 0),
        )
      }
    }),
    { numRuns: 2000 },
  )
})

table('a value that there is no room for becomes an error that says so', () => {
  const objects = new ObjectTable({ maxValueBytes: 10, encode: (error) => Buffer.from(error.message) })
  const holder = new RefHolder(objects)
  const first = objects.create('o1-1', holder)
  objects.resolve(first, 0, Buffer.alloc(8))
  const second = objects.create('o1-2', holder)

  objects.resolve(second, 0, Buffer.alloc(8))

  assert.is(second.flags, ERROR_FLAG)
  assert.match(second.body.toString(), /Small objects take 8 bytes already, of 10/)
  holder.release(first)
  const third = objects.create('o1-3', holder)
  objects.resolve(third, 0, Buffer.alloc(8))
  assert.is(third.flags, 0)
})

table('whoever waits is told once, however it is settled, and may stop waiting', () => {
  const objects = new ObjectTable()
  const holder = new RefHolder(objects)
  const entry = objects.create('o1-1', holder)
  let told = 0
  const waiter = { settled: () => void (told += 1) }
  const other = { settled: () => assert.unreachable('it does not wait any more') }
  entry.whenSettled(waiter)
  entry.whenSettled(other)
  entry.ignore(other)

  objects.resolve(entry, 0, Buffer.from('a'))
  objects.reject(entry, Buffer.from('late'))

  assert.is(told, 1)
  assert.is(entry.body.toString(), 'a')
  entry.whenSettled(waiter)
  assert.is(told, 2)
})

table('an id is taken once', () => {
  const objects = new ObjectTable()
  const holder = new RefHolder(objects)
  objects.create('o1-1', holder)

  assert.throws(
    () => objects.create('o1-1', holder),
    (error: unknown) => isEngineError(error, 'invalid'),
  )
})

table.run()
