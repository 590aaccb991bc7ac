import { EngineError } from '../errors.ts'
import { arnOf, withEntry, type Edit, type EventSettings, type FunctionRecord } from './function-record.ts'
import { checkQualifier } from './policies.ts'
import { deleteEventSettings as deleteRow, putEventSettings as putRow } from './rows.ts'
import type { Making } from './running.ts'

/** A change of how events are handled; members that are absent stay, or are cleared by `replace`. */
export type EventSettingsChange = Partial<Omit<EventSettings, 'modifiedAtMs'>>

const EMPTY: Omit<EventSettings, 'modifiedAtMs'> = {
  maxRetries: null,
  maxAgeMs: null,
  onSuccess: null,
  onFailure: null,
}

/**
 * Sets how events of a qualifier are handled. Throws EngineError 'not-found' for the qualifier, or when there
 * is nothing to merge with.
 */
export function putEventSettings(
  record: FunctionRecord,
  qualifier: string,
  change: EventSettingsChange,
  mode: 'replace' | 'merge',
  making: Making,
): Edit<EventSettings> {
  checkQualifier(record, qualifier)
  const before = mode === 'merge' ? eventSettingsOf(record, qualifier) : EMPTY
  const after: EventSettings = { ...before, ...change, modifiedAtMs: making.nowMs }
  return {
    changes: [putRow(record.functionId, qualifier, after)],
    record: { ...record, eventSettings: withEntry(record.eventSettings, qualifier, after) },
    events: [],
    result: after,
  }
}

/** Throws EngineError 'not-found'. */
export function deleteEventSettings(record: FunctionRecord, qualifier: string): Edit<undefined> {
  eventSettingsOf(record, qualifier)
  return {
    changes: [deleteRow(record.functionId, qualifier)],
    record: { ...record, eventSettings: withEntry(record.eventSettings, qualifier, undefined) },
    events: [],
    result: undefined,
  }
}

/** Throws EngineError 'not-found' when the qualifier has none of its own. */
export function eventSettingsOf(record: FunctionRecord, qualifier: string): EventSettings {
  const settings = record.eventSettings.get(qualifier)
  if (settings === undefined)
    throw new EngineError(
      'not-found',
      `The function ${arnOf(record, qualifier)} doesn't have an EventInvokeConfig`,
    )
  return settings
}
