import type { Clock } from '../clock.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { readPlacementGroups } from '../store/placement-groups.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { readGroupWish, unnamedGroup, type GroupWish } from './group-wish.ts'
import type { PlacementGroups } from './groups.ts'
import type { GroupView, PlacementGroup } from './placement-group.ts'

interface DeskParts {
  readonly groups: PlacementGroups
  readonly store: Pick<Store, 'commit' | 'reader' | 'bootEpoch'>
  readonly clock: Clock
  readonly log: Log
}

/** What somebody waits for: a group that is ready. */
export interface ReadyOptions {
  /** Null: without a limit. */
  readonly timeoutMs: number | null
  readonly signal?: AbortSignal | undefined
}

/**
 * Where placement groups are asked for. One with a name is kept in the store and is there again after a
 * restart; one without ends with whoever made it.
 */
export class GroupDesk {
  readonly #parts: DeskParts
  /** Names whose row is being written. */
  readonly #claimed = new Set<string>()
  #unnamed = 0

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Makes the groups that an earlier engine had; called once, before anything runs. */
  open(): void {
    const { groups, store, clock, log } = this.#parts
    for (const row of readPlacementGroups(store.reader)) {
      const scope = { account: row.account, region: row.region }
      const expiresAtMs = row.expires_at_ms ?? undefined
      if (expiresAtMs !== undefined && expiresAtMs <= clock.nowMs()) {
        void this.#forget(scope, row.name).catch(() => undefined) // the next start tries again
        continue
      }
      try {
        const { spec } = readGroupWish(JSON.parse(row.wish_json))
        groups.create(scope, spec, { name: row.name, isNamed: true, expiresAtMs })
      } catch (error) {
        log.error('a placement group cannot be made again', { name: row.name, message: messageOf(error) })
      }
    }
  }

  /**
   * Makes a group that has no name and ends with `owner`, or when it expires. Throws EngineError 'infeasible'
   * and 'throttled'.
   */
  createUnnamed(scope: Scope, { spec, expiresMs }: GroupWish, owner: object | undefined): PlacementGroup {
    const { groups, store } = this.#parts
    const name = unnamedGroup(store.bootEpoch, (this.#unnamed += 1))
    groups.check(scope, spec, name)
    return groups.create(scope, spec, { name, isNamed: false, owner, expiresAtMs: this.#expiry(expiresMs) })
  }

  /**
   * Makes a group that has a name; `given` is what `wish` was read from. Resolves when it is durable, placed
   * or not. Rejects with EngineError 'infeasible', 'already-exists' and 'throttled'.
   */
  async createNamed(scope: Scope, name: string, wish: GroupWish, given: object): Promise<PlacementGroup> {
    const { groups, store, clock } = this.#parts
    const { account, region } = scope
    const claim = `${account}\n${region}\n${name}`
    if (this.#claimed.has(claim))
      throw new EngineError('already-exists', `A placement group "${name}" is being made already.`)
    groups.check(scope, wish.spec, name)
    const expiresAtMs = this.#expiry(wish.expiresMs)
    this.#claimed.add(claim)
    try {
      const row = [JSON.stringify(given), clock.nowMs(), expiresAtMs ?? null] as const
      await store.commit([['putPlacementGroup', account, region, name, ...row]])
      return groups.create(scope, wish.spec, { name, isNamed: true, expiresAtMs })
    } finally {
      this.#claimed.delete(claim)
    }
  }

  /**
   * Ends a group; its users are killed, and what it reserved is free when they are gone. Rejects with
   * EngineError 'not-found'.
   */
  async remove(scope: Scope, name: string): Promise<void> {
    const { groups } = this.#parts
    const group = groups.get(scope, name)
    if (group.isNamed) await this.#forget(scope, name)
    groups.remove(group)
  }

  /**
   * Resolves when the group is ready. Rejects with EngineError 'timeout', with the reason why it waits,
   * 'not-found' when it is removed meanwhile, and 'throttled'.
   */
  ready(scope: Scope, name: string, { timeoutMs, signal }: ReadyOptions): Promise<GroupView> {
    const { groups, clock } = this.#parts
    const group = groups.get(scope, name)
    if (group.state === 'ready') return Promise.resolve(groups.view(group))
    return new Promise((resolve, reject) => {
      let watching: Disposable | undefined
      const timer =
        timeoutMs === null
          ? undefined
          : clock.after(timeoutMs, () =>
              settle(() => reject(notReady(name, timeoutMs, groups.reason(group)))),
            )
      const onAbort = (): void => settle(() => reject(signal?.reason))
      const settle = (end: () => void): void => {
        timer?.cancel()
        watching?.[Symbol.dispose]()
        signal?.removeEventListener('abort', onAbort)
        end()
      }
      const look = (): void => {
        if (group.state === 'ready') return settle(() => resolve(groups.view(group)))
        if (group.state === 'removed')
          return settle(() => reject(new EngineError('not-found', `Placement group "${name}" was removed.`)))
        watch()
      }
      const watch = (): void => {
        try {
          watching = groups.onceChanged(group, look)
        } catch (error) {
          settle(() => reject(error))
        }
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      watch()
      if (signal?.aborted === true) onAbort()
    })
  }

  #expiry(expiresMs: number | null | undefined): number | undefined {
    return expiresMs === undefined || expiresMs === null ? undefined : this.#parts.clock.nowMs() + expiresMs
  }

  #forget({ account, region }: Scope, name: string): Promise<void> {
    return this.#parts.store.commit([['deletePlacementGroup', account, region, name]])
  }
}

const notReady = (name: string, timeoutMs: number, reason: string | undefined): EngineError =>
  new EngineError(
    'timeout',
    `Placement group "${name}" was not ready within ${timeoutMs} ms. ${reason ?? ''}`.trim(),
    {
      hint: 'Wait longer, ask for less, or remove what holds the room.',
    },
  )
