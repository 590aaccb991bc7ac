import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { idOf, keptLog, makeRun, makeStream, SCOPE, THEN_MS } from './samples.ts'

const order = suite('the order of a log')

order('an invocation’s END never comes before lines of it that arrived late', async () => {
  using folder = temporaryDirectory()
  const clock = createFakeClock(THEN_MS)
  const store = await openStore({ dataDirectory: folder.join('data'), clock, log: keptLog(), inline: true })
  const stream = store.journal.open(makeStream())
  const run = { ...makeRun(idOf(1)), startedAtMs: THEN_MS, durationMs: 0.3 }

  store.journal.started(stream, THEN_MS + 4, run.runId, '$LATEST')
  store.journal.line(stream, THEN_MS + 4, run.runId, 'hello')
  store.journal.finished(stream, run, { startWritten: true, recorded: false })
  const events = await store.journal.events({ scope: SCOPE })
  await store.close()

  assert.equal(
    events.map(({ message }) => message.split(' ')[0]),
    ['START', 'hello', 'END', 'REPORT'],
  )
})

order.run()
