import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConcurrencyGate } from '../../runtime/invoke/concurrency.ts'
import type { FunctionLimits, ProvisionedShare, Target } from '../../runtime/registry/types.ts'
import { version } from '../support/scheduler-world.ts'

const concurrency = suite('the concurrency gate')

const SCOPE = { account: '0', region: 'r' }
const shareOf = (count: number): ProvisionedShare => ({
  count,
  inFlight: 0,
  ready: count,
  failure: undefined,
})

/** A function with its own limits: the target of its version 1, which has `share`, and of its version 2. */
function targets(reservedConcurrency: number | null, share?: ProvisionedShare): [Target, Target] {
  const provisioned = share === undefined ? undefined : new Map([['1', share]])
  const limits: FunctionLimits = { functionId: 'f', reservedConcurrency, inFlight: 0, provisioned }
  const target = (number: string): Target => ({
    version: version('f', {}, { version: number, key: `f:${number}:1` }),
    limits,
    share: provisioned?.get(number),
    invokedArn: '',
    executedVersion: number,
    qualifier: number,
  })
  return [target('1'), target('2')]
}

concurrency('what is kept ready for a version is taken from what is reserved for the function', () => {
  const gate = new ConcurrencyGate(1000)
  const [kept, other] = targets(3, shareOf(2))

  const answers = [other, other, kept, kept, kept].map((target) => gate.enter(SCOPE, target))

  assert.equal(answers, [undefined, 'reserved-concurrency', undefined, undefined, 'reserved-concurrency'])
  assert.is(kept.limits.inFlight, 3)
})

concurrency('beyond its own environments a version uses what the function has left', () => {
  const gate = new ConcurrencyGate(1000)
  const [kept, other] = targets(2, shareOf(1))

  const answers = [kept, kept, kept, other].map((target) => gate.enter(SCOPE, target))
  gate.leave(SCOPE, kept)
  const after = gate.enter(SCOPE, other)

  assert.equal(answers, [undefined, undefined, 'reserved-concurrency', 'reserved-concurrency'])
  assert.is(after, undefined)
  assert.is(gate.enter(SCOPE, kept), 'reserved-concurrency')
})

concurrency('an account that is full still lets in who has a place kept', () => {
  const gate = new ConcurrencyGate(1)
  const [kept, other] = targets(null, shareOf(1))

  const answers = [other, other, kept].map((target) => gate.enter(SCOPE, target))

  assert.equal(answers, [undefined, 'account-concurrency', undefined])
})

concurrency('one that goes on as another version gives its kept place back', () => {
  const gate = new ConcurrencyGate(1000)
  const share = shareOf(1)
  const [kept, other] = targets(null, share)
  gate.enter(SCOPE, kept)

  gate.move(kept, other)
  const during = share.inFlight
  gate.leave(SCOPE, other)

  assert.is(during, 0)
  assert.equal([share.inFlight, kept.limits.inFlight, gate.inFlight], [0, 0, 0])
})

concurrency.run()
