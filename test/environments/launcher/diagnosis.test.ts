import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../../runtime/clock.ts'
import { diagnoseHost } from '../../../runtime/environments/diagnosis.ts'
import { whyMissing } from './harness.ts'

const diagnosing = suite('diagnosis of the machine')

diagnosing('every piece is tried, and what is not ok says what to do', async () => {
  const checks = await diagnoseHost(systemClock)

  const names = checks.map((check) => check.name)
  for (const name of [
    'isolation: bubblewrap',
    'isolation: hardened',
    'control groups',
    'prlimit',
    '/dev/shm',
  ]) {
    assert.ok(names.includes(name), `${name} is not among ${names.join(', ')}`)
  }
  for (const check of checks) {
    assert.is.not(check.detail, '', check.name)
    assert.is(check.hint === '', check.ok, `${check.name}: ${check.detail}`)
  }
})

diagnosing('it agrees with what a launcher reaches and leaves nothing behind', async () => {
  const checks = await diagnoseHost(systemClock)

  const works = (name: string) => checks.find((check) => check.name === name)?.ok
  assert.is(works('isolation: hardened'), (await whyMissing('hardened')) === undefined)
  assert.is(works('isolation: user namespaces'), (await whyMissing('standard by unshare')) === undefined)
  assert.equal(
    readdirSync(tmpdir()).filter((name) => name.startsWith('lambent-doctor-')),
    [],
  )
})

diagnosing.run()
