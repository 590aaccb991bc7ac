import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseDuration } from '../../runtime/sdk/index.ts'

const durations = suite('durations')

for (const [value, expected] of [
  [0, 0],
  [1500, 1500],
  [0.2, 1],
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['none', null],
] as const)
  durations(`${JSON.stringify(value)} is ${expected} ms`, () => {
    assert.is(parseDuration(value), expected)
  })

for (const value of [
  '',
  '30',
  '30 s',
  '-1s',
  '1h30m',
  'forever',
  -1,
  Number.NaN,
  Infinity,
  null,
  undefined,
  {},
])
  durations(`${String(JSON.stringify(value))} is refused with the accepted forms`, () => {
    assert.throws(
      () => parseDuration(value),
      (error: Error) =>
        error instanceof TypeError && /give milliseconds .* '30s', .* or 'none'/.test(error.message),
    )
  })

durations.run()
