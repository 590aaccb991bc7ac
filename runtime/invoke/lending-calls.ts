import { packValue } from '../environments/call-payload.ts'
import type { Lending } from '../scheduler/lending.ts'
import { invocationOf } from './holdings.ts'
import type { Requests } from './requests.ts'

const EMPTY = packValue([], Buffer.alloc(0))

/** Serves `block` and `unblock`: the code of an invocation waits, and wants to go on. */
export function serveLending(
  requests: Pick<Requests, 'on'>,
  lending: Pick<Lending, 'block' | 'unblock'>,
): void {
  requests.on('block', ({ environment, fields: [run] }) => {
    const invocation = invocationOf(environment, run)
    if (invocation?.state === 'running') lending.block(environment, invocation)
  })
  requests.on('unblock', ({ environment, id, fields: [run] }) => {
    const resume = (): void => environment.connection?.answer(id, 0, EMPTY)
    const invocation = invocationOf(environment, run)
    if (invocation === undefined) resume()
    else lending.unblock(environment, invocation, resume)
  })
}
