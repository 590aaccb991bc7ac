import type { Duration } from './duration.ts'
import type { ObjectRef } from './object-ref.ts'

/** How long to wait; for ever when absent. */
export interface WaitLimits {
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}

/** Values of refs, in their order. */
export type Values<Refs extends readonly ObjectRef[]> = {
  -readonly [Index in keyof Refs]: Refs[Index] extends ObjectRef<infer Value> ? Value : never
}

/** `get` as it is exported. */
export interface Get {
  /** The value of a ref. Rejects with the error that came in its place, and TimeoutError. */
  <Value>(ref: ObjectRef<Value>, options?: WaitLimits): Promise<Value>
  /** The values of all refs, in their order. Rejects with the first error that comes. */
  <const Refs extends readonly ObjectRef[]>(refs: Refs, options?: WaitLimits): Promise<Values<Refs>>
}

/** `wait` as it is exported. */
export type Wait = <Value>(
  refs: readonly ObjectRef<Value>[],
  options?: WaitLimits & {
    /** How many are enough; 1 when absent. */
    readonly count?: number
  },
) => Promise<{ ready: ObjectRef<Value>[]; pending: ObjectRef<Value>[] }>

/** `put` as it is exported. */
export type Put = <Value>(value: Value) => Promise<ObjectRef<Value>>

/** `cancel` as it is exported. */
export type Cancel = (
  ref: Pick<ObjectRef, 'id'>,
  options?: {
    /** Kills the process that runs it; otherwise its signal aborts. */
    readonly force?: boolean
    /** With the tasks that it has called; true when absent. */
    readonly recursive?: boolean
  },
) => Promise<void>
