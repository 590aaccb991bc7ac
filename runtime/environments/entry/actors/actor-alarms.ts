import { ActorError } from '../../../sdk/actor-errors.ts'
import type { ActorAlarms, AlarmEntry, AlarmTime } from '../../../sdk/actor-types.ts'
import { parseDuration } from '../../../sdk/duration.ts'
import { ACTOR_LIMITS, type AlarmRow } from '../../actor-messages.ts'
import { nowMs } from '../clock.ts'
import { callIn, type ActorCall } from './actor-call.ts'
import { compareKeys } from './key-order.ts'
import { Stored, type StorageCodec } from './stored.ts'
import type { AlarmSetting } from './write-layer.ts'

/** Text that UTF-8 cannot hold. */
const LONE_SURROGATE = /\p{Cs}/u

/** What an actor's alarms work with. */
export interface AlarmParts {
  readonly codec: StorageCodec
  readonly current: () => ActorCall | undefined
  /** Asks the engine which are set. */
  readonly read: () => Promise<AlarmRow[]>
}

/** `this.alarms` of an actor: those that are committed, under what the running call has set and cleared. */
export class CallAlarms implements ActorAlarms {
  readonly #parts: AlarmParts

  constructor(parts: AlarmParts) {
    this.#parts = parts
  }

  async set(name: string, when: AlarmTime, payload: unknown = null): Promise<void> {
    const call = callIn(this.#parts.current())
    call.writable()
    checkName(name)
    const stored = Stored.of(this.#parts.codec, payload)
    const time = await timeOf(when)
    call.writable().setAlarm(name, { ...time, payload: stored })
  }

  async clear(name: string): Promise<boolean> {
    const call = callIn(this.#parts.current())
    call.writable()
    checkName(name)
    const isSet = (await this.#all(call)).has(name)
    if (isSet) call.writable().setAlarm(name, undefined)
    return isSet
  }

  async list(): Promise<AlarmEntry[]> {
    const all = await this.#all(callIn(this.#parts.current()))
    return [...all]
      .map(([name, { dueAtMs, schedule, payload }]) => ({
        name,
        at: new Date(dueAtMs),
        ...(schedule === '' ? {} : { schedule }),
        payload: payload.value,
      }))
      .toSorted((left, right) => left.at.getTime() - right.at.getTime() || compareKeys(left.name, right.name))
  }

  async #all(call: ActorCall): Promise<Map<string, AlarmSetting>> {
    const all = new Map<string, AlarmSetting>()
    for (const { name, dueAtMs, schedule, payload } of await this.#parts.read()) {
      const stored = Stored.read(this.#parts.codec, Buffer.from(payload, 'base64'))
      all.set(name, { dueAtMs, schedule, payload: stored })
    }
    for (const { alarms } of call.layer?.upwards() ?? [])
      for (const [name, setting] of alarms)
        if (setting === undefined) all.delete(name)
        else all.set(name, setting)
    return all
  }
}

function checkName(name: unknown): void {
  const { alarmNameBytes } = ACTOR_LIMITS
  if (
    typeof name === 'string' &&
    name !== '' &&
    Buffer.byteLength(name) <= alarmNameBytes &&
    !LONE_SURROGATE.test(name)
  )
    return
  throw new ActorError('NotStorable', `The name of an alarm is a text of 1 to ${alarmNameBytes} bytes.`)
}

async function timeOf(when: AlarmTime): Promise<{ dueAtMs: number; schedule: string }> {
  if (when instanceof Date) {
    if (Number.isNaN(when.getTime())) throw new TypeError('An alarm was set for an invalid date.')
    return { dueAtMs: when.getTime(), schedule: '' }
  }
  // Only here: who never sets an alarm that rings again does not load what reads its schedule.
  const { looksLikeSchedule, nextDue } = await import('../../alarm-schedule.ts')
  if (typeof when === 'string' && looksLikeSchedule(when))
    return { dueAtMs: nextDue(when, nowMs()), schedule: when }
  const delayMs = parseDuration(when)
  if (delayMs === null) throw new TypeError("An alarm cannot be set for 'none': use alarms.clear().")
  return { dueAtMs: nowMs() + delayMs, schedule: '' }
}
