import { LambentError, TimeoutError } from './client-errors.ts'
import { startDeadline, type WaitOptions } from './client-wait.ts'
import { systemClock } from '../clock.ts'
import type { Wire } from './client-wire.ts'
import type { PlacementGroupConfig } from './types.ts'

const POLL_MS = 50

/** What an engine says of a placement group; more members may come. */
export interface PlacementGroupState {
  readonly name: string
  readonly state: 'pending' | 'ready' | 'rescheduling' | 'removed'
  /** Why it is not ready. */
  readonly reason?: string
  readonly strategy: string
  readonly bundles: readonly Readonly<Record<string, unknown>>[]
  readonly [member: string]: unknown
}

/** A placement group, from outside. */
export interface RemotePlacementGroup {
  readonly name: string
  /** Resolves when all its bundles are reserved. */
  ready(options?: WaitOptions): Promise<PlacementGroupState>
  state(options?: { signal?: AbortSignal }): Promise<PlacementGroupState>
  /** Ends it, and with it what runs in it. */
  remove(options?: { signal?: AbortSignal }): Promise<void>
}

/** A placement group to make. */
export interface PlacementGroupWish extends PlacementGroupConfig {
  /** The engine gives it one when absent. */
  readonly name?: string
}

/** Makes a placement group, which may have to wait for room: `ready` says when it is there. */
export async function createGroup(
  wire: Wire,
  wish: PlacementGroupWish,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<RemotePlacementGroup> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(wish)
  const made = await wire.json('placement-groups', { method: 'POST', headers, body, signal })
  const { name } = made as PlacementGroupState // as the engine answers 201
  return remoteGroup(wire, name)
}

/** A placement group that exists. */
function remoteGroup(wire: Wire, name: string): RemotePlacementGroup {
  const path = `placement-groups/${encodeURIComponent(name)}`
  const state = async (signal: AbortSignal | undefined): Promise<PlacementGroupState> =>
    (await wire.json(path, { signal })) as PlacementGroupState // the engine's own record
  return {
    name,
    state: ({ signal } = {}) => state(signal),
    async ready(options = {}) {
      using deadline = startDeadline(`Placement group "${name}"`, options)
      for (;;) {
        const seen = await state(deadline.signal)
        if (seen.state === 'ready') return seen
        if (seen.state === 'removed')
          throw new LambentError('Conflict', `Placement group "${name}" was removed.`, { status: 409 })
        if (deadline.leftMs() <= POLL_MS)
          throw new TimeoutError(
            'Timeout',
            `Placement group "${name}" is ${seen.state}: ${seen.reason ?? ''}`,
            {
              status: 504,
            },
          )
        await systemClock.sleep(POLL_MS, deadline.signal)
      }
    },
    remove: async ({ signal } = {}) => void (await wire.json(path, { method: 'DELETE', signal })),
  }
}
