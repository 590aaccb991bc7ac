import { EngineError } from '../errors.ts'
import { withEntry, type Edit, type FunctionRecord } from './function-record.ts'
import { putAttachment, putFunction } from './rows.ts'
import { claimOf, MIN_UNRESERVED, totalProvisioned, type AccountUsage } from './provisioned.ts'

/**
 * Sets or, with null, takes back a function's own share of the account's concurrency.
 *
 * Throws EngineError 'invalid' when too little would be left.
 */
export function setReservedConcurrency(
  record: FunctionRecord,
  concurrency: number | null,
  account: AccountUsage,
): Edit<undefined> {
  const others = account.reserved - claimOf(record)
  const left = account.concurrency - others - (concurrency ?? 0)
  // zero switches the function off and takes nothing from anybody
  if (concurrency !== null && concurrency > 0 && left < MIN_UNRESERVED)
    throw new EngineError(
      'invalid',
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution " +
        `below its minimum value of [${MIN_UNRESERVED}].`,
      { detail: 'unreserved' },
    )
  const provisioned = totalProvisioned(record)
  if (concurrency !== null && concurrency < provisioned)
    throw new EngineError(
      'invalid',
      ` ReservedConcurrentExecutions  ${concurrency} should not be lower than function's total provisioned ` +
        `concurrency [${provisioned}].`,
    )
  const after = { ...record, reservedConcurrency: concurrency }
  return { changes: [putFunction(after)], record: after, events: [], result: undefined }
}

/** Hangs something on a function under a name of an adapter's; undefined takes it away. */
export function attach(record: FunctionRecord, name: string, value: unknown): Edit<undefined> {
  return {
    changes: [putAttachment(record.functionId, name, value)],
    record: { ...record, attachments: withEntry(record.attachments, name, value) },
    events: [],
    result: undefined,
  }
}

/** Whether a function may call itself in circles. */
export function setRecursion(
  record: FunctionRecord,
  recursion: FunctionRecord['recursion'],
): Edit<undefined> {
  const after = { ...record, recursion }
  return { changes: [putFunction(after)], record: after, events: [], result: undefined }
}
