import type { Clock } from '../clock.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { readPlacementGroups } from '../store/placement-groups.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { readGroupWish, unnamedGroup, type GroupWish } from './group-wish.ts'
import type { PlacementGroups } from './groups.ts'
import type { GroupView } from './placement-group.ts'

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

/** A group that has neither a name nor anybody whose end is its own lives so long. */
const UNOWNED_LIFE_MS = 3_600_000

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
   * Makes a group as `given` says: one with a name is answered for when it is durable, placed or not.
   *
   * Rejects with EngineError 'invalid', 'infeasible', 'already-exists' and 'throttled'.
   */
  async create(scope: Scope, given: object): Promise<GroupView> {
    const wish = readGroupWish(given)
    if (wish.name === undefined) return this.createUnnamed(scope, wish, { expiresMs: UNOWNED_LIFE_MS })
    const { groups, store, clock } = this.#parts
    const { account, region } = scope
    const { name, spec } = wish
    const claim = `${account}\n${region}\n${name}`
    if (this.#claimed.has(claim))
      throw new EngineError('already-exists', `A placement group "${name}" is being made already.`)
    groups.check(scope, spec, name)
    const expiresAtMs = this.#expiry(wish.expiresMs)
    this.#claimed.add(claim)
    try {
      const row = [JSON.stringify(given), clock.nowMs(), expiresAtMs ?? null] as const
      await store.commit([['putPlacementGroup', account, region, name, ...row]])
      return groups.view(groups.create(scope, spec, { name, isNamed: true, expiresAtMs }))
    } finally {
      this.#claimed.delete(claim)
    }
  }

  /**
   * Makes a group that has no name of its own; it ends with `owner`, or after `expiresMs` unless it was to
   * end otherwise. Throws EngineError 'infeasible', 'already-exists' and 'throttled'.
   */
  createUnnamed(
    scope: Scope,
    wish: GroupWish,
    options: { readonly name?: string | undefined; readonly owner?: object; readonly expiresMs?: number },
  ): GroupView {
    const { groups, store } = this.#parts
    const { owner, name = unnamedGroup(store.bootEpoch, (this.#unnamed += 1)) } = options
    groups.check(scope, wish.spec, name)
    const expiresAtMs = this.#expiry(wish.expiresMs === undefined ? options.expiresMs : wish.expiresMs)
    return groups.view(groups.create(scope, wish.spec, { name, isNamed: false, owner, expiresAtMs }))
  }

  /** Undefined when there is none, or it was removed. */
  find(scope: Scope, name: string): GroupView | undefined {
    const group = this.#parts.groups.find(scope, name)
    return group === undefined ? undefined : this.#parts.groups.view(group)
  }

  /** Throws EngineError 'not-found'. */
  get(scope: Scope, name: string): GroupView {
    return this.#parts.groups.view(this.#parts.groups.get(scope, name))
  }

  /** By name; those that are removed and not gone yet are among them. */
  list(scope: Scope): GroupView[] {
    return this.#parts.groups.list(scope).map((group) => this.#parts.groups.view(group))
  }

  /**
   * Ends a group; its users are killed, and what it reserved is free when they are gone. Resolves with what
   * is left of it. Throws or rejects with EngineError 'not-found'.
   */
  remove(scope: Scope, name: string): GroupView | Promise<GroupView> {
    const { groups } = this.#parts
    const group = groups.get(scope, name)
    const end = (): GroupView => {
      groups.remove(group)
      return groups.view(group)
    }
    return group.isNamed ? this.#forget(scope, name).then(end) : end()
  }

  /** Ends the groups that were made with this owner. */
  ownerEnded(owner: object): void {
    this.#parts.groups.ownerEnded(owner)
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
