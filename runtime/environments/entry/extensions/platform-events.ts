import type { Extension } from './extensions.ts'
import type { Subscription } from './subscription.ts'
import type { TelemetryEvent } from './telemetry-event.ts'

/** An event of the platform's own. */
export type PlatformEvent = TelemetryEvent & { readonly record: Record<string, unknown> }

/** How a phase ended. */
export type PhaseStatus = 'success' | 'error' | 'failure' | 'timeout'

/** What is always the same in one environment. */
export interface EnvironmentFacts {
  readonly initializationType: string
  readonly runtimeVersion: string
  readonly runtimeVersionArn: string
  readonly functionName: string
  readonly functionVersion: string
  readonly instanceId: string
  readonly memoryMb: number
}

/** An invocation as its records name it. */
export interface StartedInvocation {
  readonly requestId: string
  /** X-Ray's header; '' for none. */
  readonly traceId: string
  readonly tenantId: string
}

/** What the runtime did with an invocation. Times are Unix epoch ms, durations ms with a fraction. */
export interface RuntimeOutcome {
  readonly requestId: string
  readonly traceId: string
  readonly status: PhaseStatus
  readonly errorType: string | undefined
  readonly startedAtMs: number
  /** From the start to the moment the runtime was ready for the next one. */
  readonly durationMs: number
  /** From the start to the first byte of the response; undefined without a response. */
  readonly latencyMs: number | undefined
  /** From the first byte of the response to its last. */
  readonly responseMs: number
  readonly producedBytes: number
}

/** All of an invocation, what its extensions took included. */
export interface InvocationReport {
  readonly requestId: string
  readonly traceId: string
  readonly status: PhaseStatus
  readonly errorType: string | undefined
  readonly durationMs: number
  readonly billedMs: number
  readonly memoryMb: number
  readonly maxMemoryMb: number
  /** Undefined where the environment was warm. */
  readonly initMs: number | undefined
}

/** Init has begun. */
export const initStart = (timeMs: number, facts: EnvironmentFacts): PlatformEvent =>
  platform(timeMs, 'initStart', {
    initializationType: facts.initializationType,
    phase: 'init',
    runtimeVersion: facts.runtimeVersion,
    runtimeVersionArn: facts.runtimeVersionArn,
    functionName: facts.functionName,
    functionVersion: facts.functionVersion,
    instanceId: facts.instanceId,
    instanceMaxMemory: facts.memoryMb,
  })

/** The runtime has initialised, or failed to. */
export const initRuntimeDone = (
  timeMs: number,
  facts: EnvironmentFacts,
  status: PhaseStatus,
  errorType: string | undefined,
): PlatformEvent =>
  platform(timeMs, 'initRuntimeDone', {
    initializationType: facts.initializationType,
    phase: 'init',
    status,
    ...(errorType === undefined ? {} : { errorType }),
  })

/** The runtime and all extensions have initialised, or one of them failed to. */
export const initReport = (
  timeMs: number,
  facts: EnvironmentFacts,
  status: PhaseStatus,
  durationMs: number,
  errorType: string | undefined,
): PlatformEvent =>
  platform(timeMs, 'initReport', {
    initializationType: facts.initializationType,
    phase: 'init',
    status,
    ...(errorType === undefined ? {} : { errorType }),
    metrics: { durationMs: rounded(durationMs) },
  })

/** The runtime has been handed an invocation. */
export const start = (
  timeMs: number,
  facts: EnvironmentFacts,
  invocation: StartedInvocation,
): PlatformEvent =>
  platform(timeMs, 'start', {
    requestId: invocation.requestId,
    version: facts.functionVersion,
    ...(invocation.tenantId === '' ? {} : { tenantId: invocation.tenantId }),
    ...tracing(invocation.traceId),
  })

/** The runtime has done with an invocation. */
export function runtimeDone(timeMs: number, outcome: RuntimeOutcome): PlatformEvent {
  const { startedAtMs, latencyMs, responseMs, durationMs } = outcome
  const span = (name: string, offsetMs: number, lengthMs: number): Record<string, unknown> => ({
    name,
    start: new Date(startedAtMs + offsetMs).toISOString(),
    durationMs: rounded(lengthMs),
  })
  const spans =
    latencyMs === undefined
      ? []
      : [
          span('responseLatency', 0, latencyMs),
          span('responseDuration', latencyMs, responseMs),
          span('runtimeOverhead', latencyMs + responseMs, Math.max(0, durationMs - latencyMs - responseMs)),
        ]
  return platform(timeMs, 'runtimeDone', {
    requestId: outcome.requestId,
    status: outcome.status,
    ...(outcome.errorType === undefined ? {} : { errorType: outcome.errorType }),
    metrics: { durationMs: rounded(durationMs), producedBytes: outcome.producedBytes },
    ...tracing(outcome.traceId),
    spans,
  })
}

/** The environment has done with an invocation; the older API calls that its end. */
export const end = (timeMs: number, requestId: string): PlatformEvent =>
  platform(timeMs, 'end', { requestId })

/** What an invocation took. */
export const report = (timeMs: number, told: InvocationReport): PlatformEvent =>
  platform(timeMs, 'report', {
    requestId: told.requestId,
    status: told.status,
    ...(told.errorType === undefined ? {} : { errorType: told.errorType }),
    metrics: {
      durationMs: rounded(told.durationMs),
      billedDurationMs: told.billedMs,
      memorySizeMB: told.memoryMb,
      maxMemoryUsedMB: told.maxMemoryMb,
      ...(told.initMs === undefined ? {} : { initDurationMs: rounded(told.initMs) }),
    },
    ...tracing(told.traceId),
  })

/** An extension is ready, or failed: `state` is then its error, such as `Crash`. */
export const extension = (timeMs: number, one: Extension, state: string, errorType?: string): PlatformEvent =>
  platform(timeMs, 'extension', {
    name: one.name,
    state,
    events: one.events,
    ...(errorType === undefined ? {} : { errorType }),
  })

/** An extension subscribed. */
export const subscribed = (timeMs: number, name: string, subscription: Subscription): PlatformEvent =>
  platform(timeMs, subscription.api === 'telemetry' ? 'telemetrySubscription' : 'logsSubscription', {
    name,
    state: 'Subscribed',
    types: subscription.categories,
  })

/**
 * A line that the function or an extension printed. Where logs are JSON (`structured`), one that is a JSON
 * object is told as one.
 */
export function printed(
  timeMs: number,
  category: 'function' | 'extension',
  line: string,
  structured: boolean,
): TelemetryEvent {
  const record = (structured ? objectIn(line) : undefined) ?? line
  return { category, timeMs, type: category, record }
}

const platform = (timeMs: number, name: string, record: Record<string, unknown>): PlatformEvent => ({
  category: 'platform',
  timeMs,
  type: `platform.${name}`,
  record,
})

/** X-Ray's part of a record; the span is the header's parent. */
function tracing(traceId: string): Record<string, unknown> {
  if (traceId === '') return {}
  const spanId = /(?:^|;)\s*Parent=([0-9a-f]+)/i.exec(traceId)?.[1]
  const value = { type: 'X-Amzn-Trace-Id', value: traceId }
  return { tracing: spanId === undefined ? value : { spanId, ...value } }
}

function objectIn(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(line)
    return value as Record<string, unknown> // what begins with a brace and is JSON is an object
  } catch {
    return undefined
  }
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000
