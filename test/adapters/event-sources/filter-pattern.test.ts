import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { matchesFilter, parseFilterPattern } from '../../../adapters/event-sources/filter-pattern.ts'

const filters = suite('filter patterns')

const EVENT = {
  text: 'Seattle',
  empty: '',
  none: null,
  number: 5,
  flag: true,
  list: ['a', 'b'],
  nested: { city: 'Oslo', deep: { level: 3 } },
  objects: [{ kind: 'x' }, { kind: 'y', size: 2 }],
}

const matches = (pattern: unknown, event: Record<string, unknown> = EVENT): boolean =>
  matchesFilter(parseFilterPattern(JSON.stringify(pattern)), event)

const HOLDS: readonly (readonly [name: string, pattern: unknown, expected: boolean])[] = [
  ['a text that is the same', { text: ['Seattle'] }, true],
  ['a text in other letters', { text: ['seattle'] }, false],
  ['one of several values', { text: ['Oslo', 'Seattle'] }, true],
  ['an empty text', { empty: [''] }, true],
  ['an empty text where there is one', { text: [''] }, false],
  ['null', { none: [null] }, true],
  ['null where nothing is', { missing: [null] }, false],
  ['a number', { number: [5] }, true],
  ['a number written otherwise', { number: [5.0] }, true],
  ['a number as text', { number: ['5'] }, false],
  ['a flag', { flag: [true] }, true],
  ['the other flag', { flag: [false] }, false],
  ['an element of a list', { list: ['b'] }, true],
  ['no element of a list', { list: ['c'] }, false],
  ['two fields, both there', { text: ['Seattle'], number: [5] }, true],
  ['two fields, one of them', { text: ['Seattle'], number: [6] }, false],
  ['a nested field', { nested: { deep: { level: [3] } } }, true],
  ['a nested field of something flat', { text: { deep: ['x'] } }, false],
  ['a field of one object of a list', { objects: { kind: ['y'], size: [2] } }, true],
  ['fields of two objects of a list', { objects: { kind: ['x'], size: [2] } }, false],
  ['a beginning', { text: [{ prefix: 'Sea' }] }, true],
  ['a beginning that is not there', { text: [{ prefix: 'sea' }] }, false],
  ['a beginning in any letters', { text: [{ prefix: { 'equals-ignore-case': 'sEA' } }] }, true],
  ['a beginning of a number', { number: [{ prefix: '5' }] }, false],
  ['an end', { text: [{ suffix: 'ttle' }] }, true],
  ['an end that is not there', { text: [{ suffix: 'Sea' }] }, false],
  ['an end in any letters', { text: [{ suffix: { 'equals-ignore-case': 'TTLE' } }] }, true],
  ['a text in any letters', { text: [{ 'equals-ignore-case': 'SEATTLE' }] }, true],
  ['another text in any letters', { text: [{ 'equals-ignore-case': 'SEATTL' }] }, false],
  ['something else', { text: [{ 'anything-but': 'Oslo' }] }, true],
  ['not something else', { text: [{ 'anything-but': 'Seattle' }] }, false],
  ['something else than several', { text: [{ 'anything-but': ['Oslo', 'Rome'] }] }, true],
  ['one of several that it must not be', { text: [{ 'anything-but': ['Oslo', 'Seattle'] }] }, false],
  ['another number', { number: [{ 'anything-but': [4, 6] }] }, true],
  ['something else where nothing is', { missing: [{ 'anything-but': 'Oslo' }] }, false],
  ['another beginning', { text: [{ 'anything-but': { prefix: 'Os' } }] }, true],
  ['not another beginning', { text: [{ 'anything-but': { prefix: ['Os', 'Se'] } }] }, false],
  ['another end', { text: [{ 'anything-but': { suffix: 'lo' } }] }, true],
  ['not another end', { text: [{ 'anything-but': { suffix: 'le' } }] }, false],
  ['other letters', { text: [{ 'anything-but': { 'equals-ignore-case': ['OSLO'] } }] }, true],
  ['not other letters', { text: [{ 'anything-but': { 'equals-ignore-case': 'SEATTLE' } }] }, false],
  ['an element that is something else', { list: [{ 'anything-but': 'a' }] }, true],
  ['a number that is equal', { number: [{ numeric: ['=', 5] }] }, true],
  ['a number that is less', { number: [{ numeric: ['<', 5] }] }, false],
  ['a number at a bound', { number: [{ numeric: ['<=', 5] }] }, true],
  ['a number that is more', { number: [{ numeric: ['>', 4.9] }] }, true],
  ['a number in a range', { number: [{ numeric: ['>', 0, '<=', 5] }] }, true],
  ['a number outside a range', { number: [{ numeric: ['>=', 0, '<', 5] }] }, false],
  ['a text in a range', { text: [{ numeric: ['>', 0] }] }, false],
  ['a field that is there', { text: [{ exists: true }] }, true],
  ['a field that is null', { none: [{ exists: true }] }, true],
  ['a field that is not there', { missing: [{ exists: true }] }, false],
  ['a field that must not be there', { missing: [{ exists: false }] }, true],
  ['a field that is there and must not', { text: [{ exists: false }] }, false],
  ['an object, which is no leaf', { nested: [{ exists: true }] }, false],
  ['a leaf of nothing', { missing: { deep: [{ exists: false }] } }, true],
  ['one alternative', { $or: [{ text: ['Oslo'] }, { number: [5] }] }, true],
  ['no alternative', { $or: [{ text: ['Oslo'] }, { number: [6] }] }, false],
  ['an alternative beside a field', { flag: [false], $or: [{ text: ['Seattle'] }, { number: [5] }] }, false],
  ['a nested alternative', { nested: { $or: [{ city: ['Rome'] }, { deep: { level: [3] } }] } }, true],
]

for (const [name, pattern, expected] of HOLDS)
  filters(`${name}: ${expected ? 'matches' : 'does not match'}`, () => {
    assert.is(matches(pattern), expected)
  })

const INVALID: readonly string[] = [
  '',
  'null',
  'simple',
  '"simple"',
  '[]',
  '[{"a":["b"]}]',
  '{}',
  '{"a":"b"}',
  '{"a":5}',
  '{"a":null}',
  '{"a":[]}',
  '{"a":{}}',
  '{"a":[["b"]]}',
  '{"a":["b"=1]}',
  '{"a":[{}]}',
  '{"a":[{"unknown":1}]}',
  '{"a":[{"constructor":1}]}',
  '{"a":[{"wildcard":"*"}]}',
  '{"a":[{"prefix":"b","suffix":"c"}]}',
  '{"a":[{"prefix":1}]}',
  '{"a":[{"suffix":["b"]}]}',
  '{"a":[{"prefix":{"other":"b"}}]}',
  '{"a":[{"equals-ignore-case":1}]}',
  '{"a":[{"exists":"true"}]}',
  '{"a":[{"numeric":5}]}',
  '{"a":[{"numeric":["<"]}]}',
  '{"a":[{"numeric":["~",5]}]}',
  '{"a":[{"numeric":["<","5"]}]}',
  '{"a":[{"numeric":["<",6000000000]}]}',
  '{"a":[{"numeric":["<",5,">",1]}]}',
  '{"a":[{"numeric":[">",5,"<",1]}]}',
  '{"a":[{"numeric":[">",1,"<",5,"<"]}]}',
  '{"a":[{"anything-but":[]}]}',
  '{"a":[{"anything-but":["b",1]}]}',
  '{"a":[{"anything-but":{"numeric":["<",1]}}]}',
  '{"a":[{"anything-but":{"prefix":1}}]}',
]

for (const text of INVALID)
  filters(`${text === '' ? 'nothing' : text} is no pattern`, () => {
    assert.throws(() => parseFilterPattern(text), 'Invalid filter pattern definition.')
  })

filters('"$or" with something else than alternatives is a field of that name', () => {
  assert.is(matches({ $or: ['x'] }, { $or: 'x' }), true)
})

filters('text is looked into where the pattern does, and is text where it does not', () => {
  const against = (pattern: unknown, text: string): boolean =>
    matchesFilter(parseFilterPattern(JSON.stringify(pattern)), { id: 'm' }, { name: 'body', text })

  assert.is(against({ body: { a: [1] } }, '{"a":1}'), true)
  assert.is(against({ body: { a: [1] } }, 'plain'), false)
  assert.is(against({ body: { a: [{ exists: false }] } }, '{}'), true)
  assert.is(against({ body: ['plain'] }, 'plain'), true)
  assert.is(against({ body: ['plain'] }, '{"a":1}'), false)
  assert.is(against({ body: [{ prefix: '{' }] }, '{"a":1}'), false)
  assert.is(against({ id: ['m'] }, 'whatever'), true)
  assert.is(against({ $or: [{ body: { a: [2] } }, { id: ['m'] }] }, '{"a":1}'), true)
})

filters('text that is not JSON does not count as an object without the field', () => {
  const pattern = parseFilterPattern('{"body":{"a":[{"exists":false}]}}')

  assert.is(matchesFilter(pattern, {}, { name: 'body', text: 'plain' }), false)
})

filters.run()
