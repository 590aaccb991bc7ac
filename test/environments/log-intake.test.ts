import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LogIntake } from '../../runtime/environments/log-intake.ts'
import { createLog } from '../../runtime/log.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'

const taking = suite('taking a log in')

taking('nobody waits for bytes of a log that has ended', async () => {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const { journal } = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const intake = new LogIntake(journal, clock)
  const resumed: string[] = []
  intake.whenAt(10, () => resumed.push('before the end'))
  assert.equal(resumed, [])

  intake.end() // the function has closed its stdout and lives on
  intake.whenAt(20, () => resumed.push('after the end'))

  assert.equal(resumed, ['before the end', 'after the end'])
})

taking.run()
