import { strict as assert } from 'node:assert'
import { suite } from 'uvu'
import { filterOf } from '../../../adapters/logs-api/filter-pattern.ts'

const patterns = suite('filter patterns')

const matches = (pattern: string, message: string): boolean => filterOf(pattern)?.(message) ?? true
const json = (value: unknown): string => JSON.stringify(value)

/** `[pattern, messages it matches, messages it does not match]`. */
const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['', ['anything', ''], []],
  ['ERROR', ['an ERROR here', 'ERRORS'], ['error', 'fine']],
  ['ERROR timeout', ['ERROR: timeout'], ['ERROR', 'timeout']],
  ['"took 3 ms"', ['it took 3 ms'], ['took ms']],
  [String.raw`"say \"hi\""`, ['say "hi"'], ['say hi']],
  ['ERROR -Exiting', ['ERROR'], ['ERROR Exiting']],
  ['?ERROR ?WARN', ['ERROR', 'a WARN'], ['INFO']],
  ['%5[0-9]{2}%', ['status 503'], ['status 404']],
  ['-DEBUG', ['INFO'], ['DEBUG']],
  ['{ $.level = "ERROR" }', [json({ level: 'ERROR' })], [json({ level: 'INFO' }), 'ERROR', json({})]],
  ['{ $.level = ERR* }', [json({ level: 'ERROR' })], [json({ level: 'WARN' })]],
  ['{ $.took > 3 && $.took <= 5 }', [json({ took: 4 }), json({ took: 5 })], [json({ took: 3 }), json({})]],
  ['{ $.a.b[1] = 2 }', [json({ a: { b: [0, 2] } })], [json({ a: { b: [2] } })]],
  ['{ $.user IS NULL }', [json({ user: null })], [json({ user: 1 }), json({})]],
  ['{ $.user NOT EXISTS }', [json({})], [json({ user: null })]],
  [
    '{ $.ok IS TRUE || ($.n = 1 && $.m != 2) }',
    [json({ ok: true }), json({ n: 1, m: 1 })],
    [json({ n: 1, m: 2 })],
  ],
  ['{ $.m != 2 }', [json({ m: 'x' })], [json({})]],
  ['{ $.path = %^/v[12]% }', [json({ path: '/v1/x' })], [json({ path: '/v3' })]],
  ['[ip, user, status = 4*]', ['1.2.3.4 me 404'], ['1.2.3.4 me 200', '1.2.3.4 404']],
  ['[..., bytes > 1000]', ['a b 2000', '1001'], ['a 10']],
  ['[first, ..., last = "x y"]', ['a b "x y"', 'a "x y"'], ['a b c']],
  ['[w = a || w = b]', ['a', 'b'], ['c']],
]

for (const [pattern, wanted, unwanted] of CASES) {
  patterns(`${pattern === '' ? 'no pattern' : pattern} matches what it should`, () => {
    for (const message of wanted) assert.equal(matches(pattern, message), true, message)
    for (const message of unwanted) assert.equal(matches(pattern, message), false, message)
  })
}

for (const pattern of [
  '{ $.a = }',
  '{ $.a',
  '[a, ..., b, ...]',
  '{ a = 1 }',
  '"open',
  '%(a+)+%',
  'x'.repeat(1025),
]) {
  patterns(`${pattern.slice(0, 20)} is refused`, () => {
    assert.throws(() => filterOf(pattern), { code: 'invalid', message: 'Invalid filter pattern' })
  })
}

patterns.run()
