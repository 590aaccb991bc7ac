import { ActorError } from '../../../sdk/actor-errors.ts'
import { ACTOR_LIMITS, type ActorWrite } from '../../actor-messages.ts'
import type { Stored } from './stored.ts'

/** About what an entry takes beside its key and value. */
const ENTRY_BYTES = 16

const NO_ENTRIES: ReadonlyMap<string, Stored | undefined> = new Map()
const NO_ALARMS: ReadonlyMap<string, AlarmSetting | undefined> = new Map()

/** An alarm that is to be set. */
export interface AlarmSetting {
  /** When it rings first; Unix epoch ms. */
  readonly dueAtMs: number
  /** When it rings again; '' for one that rings once. */
  readonly schedule: string
  readonly payload: Stored
}

/**
 * What was written and is not committed yet: by a call, or by a part of one (a transaction, a call that came
 * back into the actor) that counts as a whole or not at all. Undefined values are deletions.
 */
export class WriteLayer {
  readonly parent: WriteLayer | undefined
  /** Made by the first write: most calls only read, or not even that. */
  #entries: Map<string, Stored | undefined> | undefined
  #alarms: Map<string, AlarmSetting | undefined> | undefined
  #sizeBytes = 0

  constructor(parent?: WriteLayer) {
    this.parent = parent
  }

  get entries(): ReadonlyMap<string, Stored | undefined> {
    return this.#entries ?? NO_ENTRIES
  }

  get alarms(): ReadonlyMap<string, AlarmSetting | undefined> {
    return this.#alarms ?? NO_ALARMS
  }

  get isEmpty(): boolean {
    return this.entries.size === 0 && this.alarms.size === 0
  }

  /** What is written under `key` here or below; `'nothing'`: it is as it is committed. */
  find(key: string): Stored | undefined | 'nothing' {
    if (this.entries.has(key)) return this.entries.get(key)
    return this.parent === undefined ? 'nothing' : this.parent.find(key)
  }

  /** Throws an ActorError 'ActorLimit' when the call has written too much. */
  write(key: string, value: Stored | undefined): void {
    this.#grow(key, value?.sizeBytes, this.entries.has(key), this.entries.get(key)?.sizeBytes)
    this.#entries ??= new Map()
    this.#entries.set(key, value)
  }

  /** The same for an alarm. */
  setAlarm(name: string, setting: AlarmSetting | undefined): void {
    const known = this.alarms.get(name)
    this.#grow(name, setting?.payload.sizeBytes, this.alarms.has(name), known?.payload.sizeBytes)
    this.#alarms ??= new Map()
    this.#alarms.set(name, setting)
  }

  /** This layer and those below, the lowest first. */
  *upwards(): Generator<WriteLayer> {
    if (this.parent !== undefined) yield* this.parent.upwards()
    yield this
  }

  /** Hands what is here to the layer below. */
  mergeDown(): void {
    const { parent } = this
    if (parent === undefined) throw new Error('The lowest layer has nothing below it.')
    for (const [key, value] of this.entries) parent.write(key, value)
    for (const [name, setting] of this.alarms) parent.setAlarm(name, setting)
    this.clear()
  }

  /** What is here as the engine takes it. */
  toWrites(): ActorWrite[] {
    const writes: ActorWrite[] = []
    for (const [key, value] of this.entries)
      writes.push(value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value: value.bytes })
    for (const [name, setting] of this.alarms)
      if (setting === undefined) writes.push({ kind: 'clear-alarm', name })
      else {
        const { dueAtMs, schedule, payload } = setting
        writes.push({ kind: 'set-alarm', name, dueAtMs, schedule, payload: payload.bytes })
      }
    return writes
  }

  clear(): void {
    this.#entries?.clear()
    this.#alarms?.clear()
    this.#sizeBytes = 0
  }

  #grow(key: string, valueBytes = 0, isKnown: boolean, knownBytes = 0): void {
    const growth = isKnown ? valueBytes - knownBytes : ENTRY_BYTES + key.length * 3 + valueBytes
    if (this.#sizeBytes + growth > ACTOR_LIMITS.writesBytes)
      throw new ActorError(
        'ActorLimit',
        `A call may write ${ACTOR_LIMITS.writesBytes} bytes at once: commit in parts with storage.flush().`,
      )
    this.#sizeBytes += growth
  }
}
