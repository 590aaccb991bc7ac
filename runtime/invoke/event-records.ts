import type { EventResponse } from '../store/ended-events.ts'
import type { RunRecord, RunStatus } from '../store/journal.ts'
import type { QueuedEvent } from './function-queue.ts'
import { describeError } from './outcomes.ts'

/** An error answer up to this size is remembered over the time until the next attempt. */
const REMEMBERED_BYTES = 64 * 1024

/** The record of an event that ended without running, or without running again. */
export const unrunRecord = (
  head: QueuedEvent['head'],
  status: RunStatus,
  errorType: string,
  errorMessage: string,
): RunRecord => ({
  runId: head.id,
  kind: 'invocation',
  trigger: 'event',
  scope: head.scope,
  functionId: head.functionId,
  functionName: head.functionName,
  version: '',
  qualifier: head.qualifier,
  status,
  acceptedAtMs: head.acceptedAtMs,
  startedAtMs: head.acceptedAtMs,
  durationMs: 0,
  billedMs: 0,
  initMs: null,
  memoryMb: 0,
  maxMemoryMb: 0,
  errorType,
  errorMessage: errorMessage.slice(0, 1024),
  environmentId: '',
  attempt: head.attempt,
})

/** What an attempt answered, kept with its event until the next one: a long answer is cut to its error. */
export function rememberedResponse(response: EventResponse | undefined): string | null {
  if (response === undefined) return null
  const { executedVersion, isError, payload } = response
  const text =
    payload.length <= REMEMBERED_BYTES ? payload.toString('utf8') : JSON.stringify(describeError(payload))
  return JSON.stringify({ executedVersion, isError, payload: text })
}

/** The reverse of `rememberedResponse`. */
export function recalledResponse(json: string | null): EventResponse | undefined {
  if (json === null) return undefined
  const value = JSON.parse(json) as Record<keyof EventResponse, unknown> // written above
  return {
    executedVersion: String(value.executedVersion),
    isError: value.isError === true,
    payload: Buffer.from(String(value.payload)),
  }
}
