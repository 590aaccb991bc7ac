import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import picocolors from 'picocolors'
import { CommandError } from '../../deploy/exit-codes.ts'
import { describeFunctionError } from '../../deploy/function-error.ts'
import { age, table } from '../../deploy/output.ts'
import { readServerSentEvents } from '../../deploy/server-sent-events.ts'
import { sinceMs } from '../../deploy/since.ts'

const reading = suite('what commands read and print')

const plain = picocolors.createColors(false)

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

reading('server-sent events arrive whole, however the bytes are cut', async () => {
  const seen: unknown[] = []
  for await (const event of readServerSentEvents(
    chunks(
      ': hello\n\nid: 7\nevent: li',
      'ne\nda',
      'ta: {"a":1}\ndata: b\n',
      '\r\n',
      'data: last\n\n',
      'data: cut',
    ),
  )) {
    seen.push(event)
  }

  assert.equal(seen, [
    { id: '7', event: 'line', data: '{"a":1}\nb' },
    { id: undefined, event: 'message', data: 'last' },
  ])
})

reading('an age is counted back from now, a date is taken as it is', () => {
  const before = Date.now()

  const tenMinutesAgo = sinceMs('10m')

  assert.ok(tenMinutesAgo >= before - 600_000 && tenMinutesAgo <= Date.now() - 600_000)
  assert.is(sinceMs('2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5))
  assert.throws(
    () => sinceMs('soon'),
    (error: unknown) => error instanceof CommandError && error.exitCode === 2,
  )
})

reading('a function error reads as an error does, in every language', () => {
  const node = JSON.stringify({ errorType: 'E', errorMessage: 'm', trace: ['E: m', '    at f (a.js:1:2)'] })
  const python = JSON.stringify({ errorType: 'E', errorMessage: 'm', stackTrace: ['  File "a.py", line 1'] })

  assert.is(describeFunctionError(node, plain), 'E: m\n    at f (a.js:1:2)')
  assert.is(describeFunctionError(python, plain), 'E: m\n  File "a.py", line 1')
  assert.is(describeFunctionError('{"errorMessage":"only"}', plain), 'Error: only')
  assert.is(describeFunctionError('not JSON', plain), 'not JSON')
})

reading('a table is as wide as its widest cells and ends lines without spaces', () => {
  assert.is(
    table(
      ['A', 'LONG', ''],
      [
        ['wide', '1', ''],
        ['', '22', 'x'],
      ],
    ),
    'A     LONG\nwide  1\n      22    x',
  )
  assert.is(age(0, 99_000), '99 s')
  assert.is(age(0, 3_600_000), '60 min')
  assert.is(age(0, 3 * 86_400_000), '3 d')
})

reading.run()
