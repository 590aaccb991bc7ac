import { deepStrictEqual } from 'node:assert'
import * as fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decode } from '../../runtime/sdk/codec/decode.ts'
import { encode } from '../../runtime/sdk/codec/encode.ts'
import { errorNameOf } from '../../runtime/sdk/codec/error-classes.ts'
import { TaskCancelled, UnsupportedValue } from '../../runtime/sdk/errors.ts'
import { ObjectRef } from '../../runtime/sdk/object-ref.ts'

const codec = suite('the codec')

/** A value after a journey to another process. */
// Of the same type: that is tested.
const sent = <T>(value: T): T => decode(Buffer.from(encode(value).head)) as T

const holed: unknown[] = [1]
holed[3] = 'x'

const KEPT: Record<string, unknown> = {
  'plain members': { a: 1, b: [true, null, 'c'], 'd e': { f: undefined } },
  'numbers at every edge': [
    0,
    -0,
    1,
    127,
    128,
    255,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -1,
    -32,
    -33,
    -129,
  ],
  'numbers that are no integers': [0.1, -1e300, Infinity, -Infinity, NaN, Number.MIN_VALUE],
  'texts of every length': [
    '',
    'a'.repeat(31),
    'a'.repeat(32),
    'é'.repeat(20),
    'x'.repeat(70_000),
    '🎈',
    '\u0000',
  ],
  'a text with half a character': 'a\ud800b',
  'big integers': [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 200n)],
  'a Map in a Set in a Map': new Map<unknown, unknown>([[{ key: 1 }, new Set([new Map([[1, 2]])])]]),
  dates: [new Date(0), new Date(-1), new Date(8.64e15)],
  'regular expressions': [/a\/b/gi, /(?<n>x)/u],
  'an array with holes': holed,
  'a member called __proto__': JSON.parse('{"__proto__":{"polluted":true},"b":1}'),
  'bytes of every class': [
    new Uint8Array([1, 2]),
    Buffer.from('bytes'),
    new ArrayBuffer(3),
    new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 2),
    new Int8Array([-1]),
    new Uint8ClampedArray([300]),
    new Int16Array([-300]),
    new Uint16Array([300]),
    new Int32Array([-70_000]),
    new Uint32Array([70_000]),
    new Float32Array([1.5]),
    new Float64Array([Math.PI]),
    new BigInt64Array([-1n]),
    new BigUint64Array([1n]),
    new Uint8Array(0),
    new Uint8Array(70_000),
  ],
  'primitives as objects': [Object(1), Object('text'), Object(false), Object(5n)],
}

for (const [states, value] of Object.entries(KEPT))
  codec(`keeps ${states}`, () => deepStrictEqual(sent(value), value))

codec('keeps whatever structured clone keeps', () => {
  const anything = fc.anything({
    withBigInt: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withBoxedValues: true,
  })

  fc.assert(
    fc.property(anything, (value) => deepStrictEqual(sent(value), structuredClone(value))),
    { numRuns: 2000 },
  )
})

codec('keeps a date that is none', () => {
  assert.ok(Number.isNaN(sent(new Date(NaN)).getTime()))
})

codec('keeps sharing and cycles, whatever holds them', () => {
  const shared = { n: 1 }
  const map = new Map<unknown, unknown>()
  map.set(map, shared)
  const value = { first: shared, second: [shared, map], self: undefined as unknown }
  value.self = value

  const got = sent(value)

  assert.is(got.self, got)
  assert.is(got.second[0], got.first)
  assert.is((got.second[1] as Map<unknown, unknown>).get(got.second[1]), got.first)
})

codec('keeps sharing among more objects than are searched one by one', () => {
  const many = Array.from({ length: 100 }, (_, index) => ({ index }))

  const got = sent([...many, ...many.toReversed()])

  for (let index = 0; index < 100; index++) assert.is(got[index], got[199 - index])
})

codec('instances of classes arrive as plain objects', () => {
  class Point {
    x = 1
    get double(): number {
      return this.x * 2
    }
  }

  deepStrictEqual(sent(new Point()), { x: 1 })
})

codec('built-in errors come back as themselves, with cause, stack and members of their own', () => {
  const error = Object.assign(new RangeError('too far', { cause: new TypeError('inner') }), { code: 'E_FAR' })

  const got = sent(error)

  assert.instance(got, RangeError)
  assert.is(got.message, 'too far')
  assert.is(got.stack, error.stack)
  assert.is(got.code, 'E_FAR')
  assert.instance(got.cause, TypeError)
  assert.equal(Object.keys(got), ['code'])
})

codec('an aggregate keeps its errors, a cycle of causes its cycle', () => {
  const aggregate = new AggregateError([new Error('one'), 'two'], 'several')
  const loop = new Error('loop')
  loop.cause = loop

  const [first, second] = sent([aggregate, loop] as const)

  assert.instance(first, AggregateError)
  assert.is((first.errors[0] as Error).message, 'one')
  assert.is(first.errors[1], 'two')
  assert.is(second.cause, second)
})

codec('an error of a class that is not known here keeps its name', () => {
  class PaymentRefused extends Error {}
  class Named extends TypeError {
    override name = 'NamedByHand'
  }

  const [refused, named] = sent([new PaymentRefused('no'), new Named('x')] as const)

  assert.instance(refused, Error)
  assert.is(refused.name, 'PaymentRefused')
  assert.is(named.name, 'NamedByHand')
  assert.is(errorNameOf(new PaymentRefused('no')), 'PaymentRefused')
  assert.is(errorNameOf(new Named('x')), 'NamedByHand')
  assert.is(errorNameOf(new TypeError('x')), 'TypeError')
  assert.is(errorNameOf(new DOMException('x', 'AbortError')), 'AbortError')
  assert.is(errorNameOf('text'), 'string')
})

codec("the SDK's own errors and DOM exceptions come back as themselves", () => {
  const [cancelled, aborted, unsupported] = sent([
    new TaskCancelled('gone'),
    new DOMException('stop', 'AbortError'),
    new UnsupportedValue('no', '[0]'),
  ] as const)

  assert.instance(cancelled, TaskCancelled)
  assert.is(cancelled.name, 'TaskCancelled')
  assert.instance(aborted, DOMException)
  assert.is(aborted.name, 'AbortError')
  assert.is(aborted.message, 'stop')
  assert.is(unsupported.path, '[0]')
})

codec('an error gets across even if what it holds cannot', () => {
  const shared = { n: 1 }
  const error = Object.assign(new Error('with a socket'), {
    before: shared,
    send: () => {},
    request: { self: undefined as unknown, deep: { callback: () => {} } },
    after: [shared],
  })
  error.request.self = error

  const got = sent(error)

  assert.equal(Object.keys(got), ['before', 'after'])
  assert.is(got.after[0], got.before)
})

codec('no constructor of an error class runs, and no global is called by name', () => {
  class Fake extends Error {}
  Object.defineProperty(Fake, 'name', { value: 'Function' })

  const got = sent(new Fake('return 7'))

  assert.type(got, 'object')
  assert.is(got.name, 'Function')
})

const REFUSED: [states: string, value: unknown, path: string][] = [
  ['a function', () => 1, ''],
  ['a function inside', [{ items: { callback() {} } }], '[0].items.callback'],
  ['a symbol', { 'odd name': Symbol('s') }, '["odd name"]'],
  ['a promise', [Promise.resolve(1)], '[0]'],
  ['a weak map', { cache: new WeakMap() }, 'cache'],
  ['shared memory', { memory: new SharedArrayBuffer(8) }, 'memory'],
  ['a function in a map', new Map([['key', () => 1]]), '.get("key")'],
  ['a view of shared memory', new Uint8Array(new SharedArrayBuffer(8)), ''],
]

for (const [states, value, path] of REFUSED)
  codec(`refuses ${states} and says where it is`, () => {
    let thrown: unknown
    try {
      encode(value)
    } catch (error) {
      thrown = error
    }

    assert.instance(thrown, UnsupportedValue)
    assert.is((thrown as UnsupportedValue).path, path)
    assert.match((thrown as UnsupportedValue).message, /cannot be sent to another process/)
    assert.ok((thrown as UnsupportedValue).message.includes(path))
  })

codec('a value that is nested too deeply is refused, and one after it is encoded', () => {
  let deep: unknown = 1
  for (let depth = 0; depth < 200_000; depth++) deep = [deep]

  assert.throws(() => encode(deep), /nested too deeply/)
  assert.equal(sent([1]), [1])
})

codec('a getter that encodes does not disturb the value it belongs to', () => {
  const value = {
    a: 1,
    get b(): number {
      return encode({ other: ['value'] }).head.length
    },
    c: 3,
  }

  assert.equal(Object.keys(sent(value)), ['a', 'b', 'c'])
})

codec('refs are told by their ids, and made anew where they arrive', () => {
  const ref = new ObjectRef<number>({ id: 'o1-7', release() {} })
  const made: string[] = []

  const { head, refIds } = encode({ a: ref, b: [ref, new ObjectRef({ id: 'o2-1', release() {} })] })
  const value = decode(head, {
    refOf: (id) => {
      made.push(id)
      return { id, release() {} }
    },
  }) as { a: ObjectRef; b: ObjectRef[] }

  assert.equal(refIds, ['o1-7', 'o2-1'])
  assert.equal(made, ['o1-7', 'o2-1'])
  assert.instance(value.a, ObjectRef)
  assert.is(value.b[0], value.a)
  assert.throws(() => JSON.stringify(value), /no JSON form/)
})

codec('large bytes stay out of the head and lie over the parts they are given', () => {
  const floats = new Float32Array(1000).fill(1.5)
  const value = {
    floats,
    small: new Uint8Array(10),
    bytes: Buffer.alloc(4096, 7),
    memory: new ArrayBuffer(4096),
  }

  const { head, parts } = encode(value, { outOfBandBytes: 4000 })
  const memory = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  const moved = parts.map((part) => {
    memory.set(part, at)
    at += part.length
    return memory.subarray(at - part.length, at)
  })
  const got = decode(head, { parts: moved }) as typeof value

  assert.ok(head.length < 300)
  assert.is(parts[0]?.buffer, floats.buffer)
  deepStrictEqual(got, value)
  assert.is(got.floats.buffer, memory.buffer)
})

codec('leaves room in front for whoever sends it', () => {
  const { head } = encode('x'.repeat(100_000), { room: 40 })

  assert.is(decode(head.subarray(40)), 'x'.repeat(100_000))
})

codec('writing to a value never changes what was encoded', () => {
  const { head } = encode(new Uint8Array([1, 2, 3]))
  const first = decode(head) as Uint8Array
  first.fill(9)

  assert.equal([...(decode(head) as Uint8Array)], [1, 2, 3])
})

codec('plain values are MessagePack that others read', () => {
  const value = { text: 'é', list: [1, -5, 300, 70_000, 1.5, true, null], nested: { a: 'x'.repeat(300) } }
  const reader = new Unpackr({ useRecords: false })

  assert.equal(reader.unpack(encode(value).head), value)
})

codec('damaged bytes are refused with a RangeError, whatever is wrong with them', () => {
  const sample = encode([
    new Map([[1, { a: [new Error('x'), new Date(1), /x/] }]]),
    'text',
    new Float64Array(2),
    7n,
  ])
  const bytes = Buffer.from(sample.head)
  const harmless = (damaged: Buffer): void => {
    try {
      decode(damaged)
    } catch (error) {
      assert.instance(error, RangeError)
    }
  }

  for (let length = 0; length < bytes.length; length++)
    assert.throws(
      () => decode(bytes.subarray(0, length)),
      (error: unknown) => error instanceof RangeError,
    )
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Buffer.from(bytes)
      damaged[at] = byte
      harmless(damaged)
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => harmless(Buffer.from(random))),
    { numRuns: 5000 },
  )
})

codec('a short message that claims to be huge takes no memory', () => {
  for (const huge of [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
    [0xc9, 0, 0, 0, 4, 3, 0xff, 0xff, 0xff, 0xff],
  ])
    assert.throws(() => decode(Buffer.from(huge)), /cut off/)
  assert.throws(() => decode(Buffer.alloc(1_000_000, 0x91)), /nested too deeply|cut off/)
})

codec.run()
