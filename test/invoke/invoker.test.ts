import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../runtime/errors.ts'
import { ConcurrencyGate } from '../../runtime/invoke/concurrency.ts'
import { EventQueue } from '../../runtime/invoke/event-queue.ts'
import { InvocationPath } from '../../runtime/invoke/invoker.ts'
import type { EventRequest, InvokeRequest } from '../../runtime/invoke/types.ts'
import { createLog } from '../../runtime/log.ts'
import type { FunctionLimits, FunctionVersion, Resolver } from '../../runtime/registry/types.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { version, world } from '../support/scheduler-world.ts'
import { eventParts } from './event-parts.ts'

const pending = (): EngineError => new EngineError('conflict', 'It is Pending', { detail: 'pending' })

/** A function that never becomes ready. */
const NEVER_READY: Resolver = {
  resolve() {
    throw pending()
  },
  async ready(_scope, _functionName, signal) {
    signal?.throwIfAborted()
    await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  },
}

/** A function of one version at a time. */
function deployed(limits: FunctionLimits, first: FunctionVersion) {
  let current = first
  const resolver: Resolver = {
    resolve: () => ({ version: current, limits, invokedArn: '', qualifier: '', executedVersion: '$LATEST' }),
    ready: () => Promise.resolve(),
  }
  return { resolver, replace: (by: FunctionVersion): void => void (current = by) }
}

async function path(resolver: Resolver) {
  const { clock, scheduler, orphaned, ...rest } = await world()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const gate = new ConcurrencyGate(10)
  const context = { clock, journal: store.journal, gate, onRecord: () => {} }
  const invocations = new InvocationPath({
    clock,
    resolver,
    gate,
    scheduler,
    context,
    waitsForReady: true,
    missingFor: () => undefined,
  })
  orphaned((orphans) => invocations.reroute(orphans))
  invocations.events = new EventQueue({
    ...eventParts({ store, clock, log }),
    start: (...run) => invocations.start(...run),
  })
  return { ...rest, clock, scheduler, gate, invocations }
}

const scope = { account: '0', region: 'r' }
const event = (requestId: string): EventRequest => ({
  scope,
  functionName: 'echo',
  qualifier: undefined,
  payload: Buffer.from('{}'),
  requestId,
  traceId: '',
  clientContext: '',
  tenantId: '',
})
const request = (requestId: string): Omit<InvokeRequest, 'streaming'> => ({
  ...event(requestId),
  trigger: 'sync',
  logTail: false,
})

const invoking = suite('the path of an invocation')

invoking('an event for a function that does not become ready is refused after a minute', async () => {
  const { invocations, clock } = await path(NEVER_READY)

  const refusal = rejectsWith(invocations.accept(event('a')), 'conflict')
  await clock.advance(60_001)

  assert.is((await refusal).detail, 'pending')
})

invoking('events that wait for a function to become ready are bounded, together with calls', async () => {
  const { invocations } = await path(NEVER_READY)
  for (let index = 0; index < 500; index++) {
    void invocations.accept(event(`event ${index}`)).catch(() => {})
    void invocations.run(request(`call ${index}`)).catch(() => {})
  }

  assert.is((await rejectsWith(invocations.accept(event('one more')), 'throttled')).detail, 'queue-full')
  assert.is((await rejectsWith(invocations.run(request('another')), 'throttled')).detail, 'queue-full')
})

invoking('who waits for a function to become ready is told when the engine stops', async () => {
  const { invocations } = await path(NEVER_READY)
  const refusals = [
    rejectsWith(invocations.accept(event('a')), 'unavailable'),
    rejectsWith(invocations.run(request('b')), 'unavailable'),
  ]

  invocations.close()

  for (const refusal of refusals) assert.match((await refusal).message, 'stopping')
})

invoking('a call whose version is replaced before it starts keeps its place', async () => {
  const limits: FunctionLimits = { functionId: 'echo', reservedConcurrency: 1, inFlight: 0 }
  const old = version('echo')
  const { resolver, replace } = deployed(limits, old)
  const { invocations, scheduler, gate, ready, processes } = await path(resolver)
  gate.onLeave(() => void gate.enter(scope, resolver.resolve(scope, 'echo', undefined))) // somebody who waits for a place
  const outcome = invocations.run(request('a'))

  replace(version('echo', {}, { key: 'echo-2' }))
  scheduler.retire(old.key)
  await ready()
  processes[1]?.answer('a')

  assert.is((await outcome).kind, 'success')
})

invoking.run()
