import { functionArn, LATEST, type FunctionRecord } from '../registry/function-record.ts'
import type { DeliveryKind, EndedEvent } from '../store/ended-events.ts'

/**
 * Why an accepted event ended. Whoever ends one before it has run gives a reason of its own: adapters know
 * how it looks on their wire, and show what they do not know as it is.
 */
export type EndReason =
  | 'success'
  | 'retries-exhausted'
  | 'event-age-exceeded'
  | 'zero-reserved-concurrency'
  | 'not-found'
  | 'invalid'
  | 'cancelled'
  | 'recursion-detected'

/** How the events of one qualifier are handled, at this moment. */
export interface EventPolicy {
  /** Retries after the first attempt. */
  readonly maxRetries: number
  readonly maxAgeMs: number
  readonly onSuccess: string | null
  readonly onFailure: string | null
  /** Of the version that runs. */
  readonly deadLetter: string | undefined
  /** The function is off: its concurrency is reserved as 0. */
  readonly isOff: boolean
}

const DEFAULT_RETRIES = 2
const DEFAULT_MAX_AGE_MS = 21_600_000
/** Nothing that was configured expires before this. */
export const MIN_MAX_AGE_MS = 60_000

/**
 * What holds for events of `qualifier` ('' is `$LATEST`); `executedVersion` is what ran, if something did. A
 * function that is gone has the defaults.
 */
export function eventPolicy(
  record: FunctionRecord | undefined,
  qualifier: string,
  executedVersion?: string,
): EventPolicy {
  const name = qualifier === '' ? LATEST : qualifier
  const settings = record?.eventSettings.get(name)
  const version = executedVersion ?? record?.aliases.get(name)?.version ?? name
  return {
    maxRetries: settings?.maxRetries ?? DEFAULT_RETRIES,
    maxAgeMs: settings?.maxAgeMs ?? DEFAULT_MAX_AGE_MS,
    onSuccess: settings?.onSuccess ?? null,
    onFailure: settings?.onFailure ?? null,
    deadLetter: record?.versions.get(version)?.settings.deadLetterTarget,
    isOff: record?.limits.reservedConcurrency === 0,
  }
}

/** What comes after a failed attempt. */
export type NextStep = { kind: 'retry'; delayMs: number } | { kind: 'end'; reason: EndReason }

/**
 * `attempts` have failed, the last one just now. A retry that would come after the event's age limit is not
 * waited for.
 */
export function afterFailure(
  policy: EventPolicy,
  attempts: number,
  ageMs: number,
  delaysMs: readonly number[],
): NextStep {
  if (attempts > policy.maxRetries) return { kind: 'end', reason: 'retries-exhausted' }
  const delayMs = delaysMs[Math.min(attempts, delaysMs.length) - 1] ?? 0
  if (ageMs + delayMs > policy.maxAgeMs) return { kind: 'end', reason: 'event-age-exceeded' }
  return { kind: 'retry', delayMs }
}

/** Who is told how an event ended; a cancelled one is nobody's business but the canceller's. */
export function owedTo(policy: EventPolicy, reason: EndReason): [kind: DeliveryKind, target: string][] {
  if (reason === 'success') return policy.onSuccess === null ? [] : [['destination', policy.onSuccess]]
  if (reason === 'cancelled') return []
  const owed: [DeliveryKind, string][] = []
  if (policy.deadLetter !== undefined) owed.push(['dead-letter', policy.deadLetter])
  if (policy.onFailure !== null) owed.push(['destination', policy.onFailure])
  return owed
}

/** An outcome on its way to whoever is told of it. */
export interface OutgoingOutcome {
  readonly kind: DeliveryKind
  readonly target: string
  /** Always with a qualifier. */
  readonly functionArn: string
  readonly event: Omit<EndedEvent, 'payload'> & { readonly payload: Buffer }
}

/**
 * Takes an outcome to its target. Rejects with EngineError: 'invalid', 'too-large', 'not-found' and
 * 'forbidden' are refusals of the target, everything else may go better later.
 */
export type DeliverOutcome = (outcome: OutgoingOutcome, signal: AbortSignal) => Promise<void>

/** The ARN that an outcome names. */
export const outcomeArn = ({ scope, functionName, qualifier }: EndedEvent): string =>
  functionArn(scope, functionName, qualifier === '' ? LATEST : qualifier)
