import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { verdictOf } from '../../../adapters/event-sources/item-failures.ts'

const answers = suite('batch item failures')

const IDS: ReadonlySet<string> = new Set(['a', 'b', 'c'])

for (const text of ['null', '""', '{}', '[]', '', '{"batchItemFailures":[]}', '{"batchItemFailures":null}'])
  answers(`${text === '' ? 'nothing' : text} means that all succeeded`, () => {
    assert.equal(verdictOf(Buffer.from(text), IDS), { kind: 'succeeded' })
  })

const FAILURES: readonly string[] = [
  'not json',
  '"done"',
  '5',
  '[1]',
  '{"batchItemFailures":"a"}',
  '{"batchItemFailures":["a"]}',
  '{"batchItemFailures":[null]}',
  '{"batchItemFailures":[{"foo":"a"}]}',
  '{"batchItemFailures":[{"foo":null}]}',
  '{"batchItemFailures":[{"itemIdentifier":""}]}',
  '{"batchItemFailures":[{"itemIdentifier":null}]}',
  '{"batchItemFailures":[{"itemIdentifier":5}]}',
  '{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}',
]

for (const text of FAILURES)
  answers(`${text} means that all failed`, () => {
    assert.equal(verdictOf(Buffer.from(text), IDS), { kind: 'failed' })
  })

answers('what is listed failed, however often', () => {
  const text = '{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}'

  const verdict = verdictOf(Buffer.from(text), IDS)

  assert.is(verdict.kind, 'partly-failed')
  assert.equal(verdict.kind === 'partly-failed' && [...verdict.ids].sort(), ['a', 'c'])
})

answers.run()
