import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ShardProgress } from '../../../adapters/event-sources/shard-progress.ts'

const progress = suite('progress in a shard')

progress('stands before the first record that is not done', () => {
  const shard = new ShardProgress()
  const passed: (string | undefined)[] = []
  for (const sequence of ['1', '2', '3', '4']) shard.read(sequence)

  for (const sequence of ['2', '4', '1', '3']) {
    shard.done(sequence)
    passed.push(shard.passed)
  }

  assert.equal(passed, [undefined, undefined, '2', '4'])
  assert.is(shard.open, 0)
})

progress('goes on over thousands of records, and what is done twice or unknown changes nothing', () => {
  const shard = new ShardProgress()
  for (let index = 0; index < 5000; index++) {
    shard.read(String(index))
    if (index % 2 === 1) {
      shard.done(String(index))
      shard.done(String(index - 1))
      shard.done(String(index))
    }
  }
  shard.done('unknown')

  assert.is(shard.passed, '4999')
  assert.is(shard.open, 0)
})

progress.run()
