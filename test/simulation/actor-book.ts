import { readActorAlarms, readActorValues, readSmallStorage } from '../../runtime/store/actor-reading.ts'
import type { Change, Store } from '../../runtime/store/store.ts'
import type { HeldCall } from './actor-process.ts'
import { Violation } from './simulate.ts'

/** A call whose caller waits. */
export interface OpenCall {
  readonly number: number
  readonly key: string
  readonly operation: string
  readonly name: string
  readonly isKeyed: boolean
  /** It is an exclusive call that a process has begun. */
  begun: boolean
}

/** What one actor has acknowledged. */
interface Acknowledged {
  readonly operations: Set<string>
  readonly alarms: Set<string>
  /** What calls with an idempotency key were answered. */
  readonly replies: Map<string, string>
  /** Numbers of the activations that were on disk. */
  epoch: number
  id: number
}

/** Notes what callers were told and what came to the disk, by itself, and finds out where they differ. */
export class ActorBook {
  readonly #reader: Store['reader']
  readonly #actors = new Map<string, Acknowledged>()
  readonly #keyOf = new Map<number, string>()
  readonly open = new Map<number, OpenCall>()
  /** What was found first, also where the engine catches what is thrown. */
  violation: Violation | undefined

  constructor(reader: Store['reader']) {
    this.#reader = reader
  }

  // -- what comes to the disk

  kept(changes: readonly Change[]): void {
    for (const [statement, ...fields] of changes) {
      if (statement === 'activateActor') this.#activated(fields)
      else if (statement === 'deleteActor') this.#deleted(Number(fields[0]))
      else if (WRITES.has(statement)) this.#wrote(changes, fields)
    }
  }

  /** Whether a later activation than the one that handed in `changes` has begun. */
  isStale(changes: readonly Change[]): boolean {
    const [first] = changes
    if (first?.[0] !== 'fenceActor') return false
    const key = this.#keyOf.get(Number(first[1]))
    const actor = key === undefined ? undefined : this.#actors.get(key)
    return actor === undefined || actor.id !== first[1] || actor.epoch > Number(first[3])
  }

  #activated(fields: readonly unknown[]): void {
    const [id, , , , , key, epoch] = fields as [number, unknown, unknown, unknown, unknown, string, number]
    const actor = this.#at(key)
    if (epoch <= actor.epoch) this.#wrong(`activation ${epoch} of ${key} begins after ${actor.epoch}`)
    if (actor.id !== 0 && actor.id !== id) this.#wrong(`${key} is two actors, ${actor.id} and ${id}`)
    actor.epoch = epoch
    actor.id = id
    this.#keyOf.set(id, key)
  }

  #deleted(id: number): void {
    const key = this.#keyOf.get(id)
    if (key !== undefined && this.#actors.get(key)?.id === id) this.#actors.delete(key)
  }

  /** A write of an actor's own is led by the number of its last activation. */
  #wrote(changes: readonly Change[], [id, name]: readonly unknown[]): void {
    const key = this.#keyOf.get(Number(id))
    const actor = key === undefined ? undefined : this.#actors.get(key)
    const [fence] = changes
    if (actor === undefined || actor.id !== id) this.#wrong(`${key} writes though it is destroyed`)
    if (name === 'stale') this.#wrong(`a process that was over writes to ${key}`)
    if (fence?.[0] !== 'fenceActor' || fence[3] !== actor.epoch)
      this.#wrong(`${key} writes from activation ${fence?.[3]}, and ${actor.epoch} has begun`)
  }

  // -- what callers and processes see

  /** A process begins an exclusive call: whoever called earlier comes first. */
  began(key: string, call: HeldCall): void {
    if (call.kind !== 'method') return
    let begun: OpenCall | undefined
    for (const one of this.open.values()) {
      if (one.key !== key || one.operation !== call.operation) continue
      begun ??= one
      one.begun = true
    }
    if (begun === undefined || begun.isKeyed) return // whoever began a keyed one may have given up
    for (const one of this.open.values()) {
      if (one.number >= begun.number) return
      if (one.key === key && !one.begun && !one.isKeyed && one.name !== 'peek')
        this.#wrong(`${call.operation} of ${key} begins before ${one.operation}`)
    }
  }

  /** Its process is gone: what it had begun and not answered begins anew, if at all. */
  cutOff(key: string, operations: ReadonlySet<string>): void {
    for (const one of this.open.values())
      if (one.key === key && operations.has(one.operation)) one.begun = false
  }

  answered({ number, key, operation, name, isKeyed }: OpenCall, text: string | undefined): void {
    if (!this.open.delete(number)) this.#wrong(`call ${number} of ${key} was told twice`)
    const actor = this.#at(key)
    if (isKeyed) {
      const before = actor.replies.get(operation)
      if (before !== undefined && before !== (text ?? 'thrown'))
        this.#wrong(`${operation} of ${key} was answered ${before} and ${text ?? 'thrown'}`)
      actor.replies.set(operation, text ?? 'thrown')
    }
    if (text === undefined) return
    const [n, counted] = this.#read(actor.id, ['n', `op ${operation}`])
    if (Number(n ?? 0) < Number(text))
      this.#wrong(`${name} of ${key} answers ${text}, and ${n ?? 0} is on disk`)
    if (!COUNTS.has(name)) return
    if (counted !== '1')
      this.#wrong(`${operation} of ${key} was acknowledged and counted ${counted ?? 0} times`)
    actor.operations.add(operation)
    if (name === 'set-alarm') actor.alarms.add(operation)
  }

  failed({ number, key }: OpenCall): void {
    if (!this.open.delete(number)) this.#wrong(`call ${number} of ${key} was told twice`)
  }

  /** The engine is gone, and whoever waited with it. */
  lost(): void {
    this.open.clear()
  }

  /** What an activation starts with, or what is on disk, holds all that was acknowledged, once. */
  checkRows(key: string, rows: readonly { key: string; value: Buffer | undefined }[]): void {
    const found = new Map(rows.map((row) => [row.key, row.value?.toString() ?? '']))
    let counted = 0
    for (const [name, value] of found) {
      if (!name.startsWith('op ')) continue
      counted += 1
      if (value !== '1') this.#wrong(`${name} of ${key} counted ${value} times`)
    }
    if (counted !== Number(found.get('n') ?? 0))
      this.#wrong(`${key} counted ${found.get('n')} operations, and there are ${counted}`)
    for (const operation of this.#actors.get(key)?.operations ?? [])
      if (!found.has(`op ${operation}`)) this.#wrong(`${operation} of ${key} is lost`)
  }

  /** Nothing goes on any more. */
  checkAtEnd(): void {
    for (const [key, actor] of this.#actors) {
      const rows = readSmallStorage(this.#reader, actor.id, 1e9) ?? []
      this.checkRows(key, rows)
      const rang = new Set(rows.map((row) => row.key))
      const givenUp = new Set(readActorAlarms(this.#reader, actor.id).map(({ name }) => name))
      for (const name of actor.alarms)
        if (!rang.has(`rang ${name}`) && !givenUp.has(name))
          this.#wrong(`the alarm ${name} of ${key} never rang`)
    }
  }

  #wrong(what: string): never {
    throw (this.violation ??= new Violation(what))
  }

  #at(key: string): Acknowledged {
    let actor = this.#actors.get(key)
    if (actor === undefined) {
      actor = { operations: new Set(), alarms: new Set(), replies: new Map(), epoch: 0, id: 0 }
      this.#actors.set(key, actor)
    }
    return actor
  }

  #read(id: number, keys: readonly string[]): (string | undefined)[] {
    const rows = readActorValues(this.#reader, id, keys)
    return keys.map((key) => rows.find((row) => row.key === key)?.value.toString())
  }
}

/** Methods that count. */
const COUNTS: ReadonlySet<string> = new Set(['add', 'set-alarm', 'flush'])
const WRITES: ReadonlySet<string> = new Set(['putActorValue', 'deleteActorValue', 'setActorAlarm'])
