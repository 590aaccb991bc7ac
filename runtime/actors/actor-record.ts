import type { Clock } from '../clock.ts'
import { findActor, findActorReply } from '../store/actor-reading.ts'
import { destroyActor, touchActor, type ActorAddress, type StoredReply } from '../store/actors.ts'
import type { Store } from '../store/store.ts'

const REPLY_KEPT_MS = 86_400_000

/**
 * What the store knows of one actor beside its storage: the row that stands for it, replies that are kept,
 * the last thing that went wrong. Asked only when nothing of the actor is on its way to disk.
 */
export class ActorRecord {
  readonly #address: ActorAddress
  readonly #clock: Clock
  readonly #store: Pick<Store, 'commit' | 'append' | 'reader'>
  #id: number | undefined
  #looked = false
  #lastError: string | undefined

  constructor(address: ActorAddress, clock: Clock, store: Pick<Store, 'commit' | 'append' | 'reader'>) {
    this.#address = address
    this.#clock = clock
    this.#store = store
  }

  get lastError(): string | undefined {
    return this.#lastError
  }

  /** Of its row; undefined: it was never awake. */
  get id(): number | undefined {
    if (!this.#looked) {
      this.#looked = true
      this.#id = findActor(this.#store.reader, this.#address)?.id
    }
    return this.#id
  }

  /** Its row is on its way. */
  set id(id: number) {
    this.#looked = true
    this.#id = id
  }

  /** The reply that a call with this key got within a day. */
  replyTo(idempotencyKey: string): StoredReply | undefined {
    const { id } = this
    if (id === undefined) return undefined
    return findActorReply(this.#store.reader, id, idempotencyKey, this.#clock.nowMs() - REPLY_KEPT_MS)
  }

  /** Keeps what went wrong, for whoever looks. */
  note(problem: string): void {
    this.#lastError = problem
    if (this.#id !== undefined) this.#store.append([touchActor(this.#id, this.#clock.nowMs(), problem)])
  }

  /** Deletes everything in one commit. Rejects as that does, and then everything is there. */
  async destroy(): Promise<void> {
    const { id } = this
    this.#looked = false
    this.#lastError = undefined
    if (id !== undefined) await this.#store.commit(destroyActor(id))
  }
}
