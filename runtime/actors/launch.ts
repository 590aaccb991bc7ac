import { ACTOR_LIMITS, packActivation } from '../environments/actor-messages.ts'
import { Invocation } from '../environments/invocation.ts'
import type { EngineError } from '../errors.ts'
import { readSmallStorage } from '../store/actor-reading.ts'
import { activateActor, type ActorAddress } from '../store/actors.ts'
import { Activation, type ActivationOwner } from './activation.ts'
import type { ActorCode, ActorParts } from './actor-parts.ts'
import { CommitGate } from './commit-gate.ts'

/** A new activation, not yet with the scheduler. */
export interface Launched {
  readonly id: number
  readonly activation: Activation
  readonly invocation: Invocation
}

/**
 * Makes an activation of an actor from its code and what it has stored. Everything that an earlier one wrote
 * must be on disk. Throws an Error when what is stored is damaged.
 */
export function launch<Actor>(
  parts: Omit<ActorParts<Actor>, 'socketsOf'>,
  options: {
    readonly address: ActorAddress
    /** The row's; undefined for an actor that was never awake. */
    readonly id: number | undefined
    readonly code: ActorCode
    readonly sockets: string
    readonly owner: ActivationOwner
    readonly onStoreFailure: (activation: Activation, error: EngineError) => void
  },
): Launched {
  const { clock, store, newNumber } = parts
  const { address, code, sockets, owner } = options
  const epoch = newNumber()
  const id = options.id ?? newNumber()
  const rows = options.id === undefined ? [] : readSmallStorage(store.reader, id, ACTOR_LIMITS.snapshotBytes)
  const gate = new CommitGate({
    store,
    actorId: id,
    epoch,
    onFailure: (error) => options.onStoreFailure(activation, error),
    onAlarm: parts.armAlarm,
  })
  const activation = new Activation({
    ...{ clock, epoch, gate, owner, reader: store.reader, newToken: newNumber, actorId: id },
    withdraw: parts.withdraw,
  })
  const payload = packActivation({ epoch, complete: rows !== undefined, sockets, rows: rows ?? [] })
  const input = { ...code.invocation(address), payload, observer: activation }
  const invocation = new Invocation(input, clock.monotonicMs())
  activation.invocation = invocation
  const pinned = code.shape.idleMs === null
  gate.begin(activateActor(address, { id, epoch, pinned }, clock.nowMs()))
  return { id, activation, invocation }
}
