import type { Log } from '../../runtime/log.ts'
import type { StoredEvent } from '../../runtime/store/events.ts'
import type { LogStream, RunRecord } from '../../runtime/store/journal.ts'

/** Where the records of these tests belong. */
export const SCOPE = { account: '000000000000', region: 'us-east-1' }

/** 2026-01-02T03:04:05.678Z. */
export const THEN_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** A request id whose order is that of `number`. */
export const idOf = (number: number): string =>
  `019b7d1e-${number.toString(16).padStart(4, '0')}-4000-8000-000000000000`

/** An event to accept, without a payload of interest. */
export const makeEvent = (id: string): Omit<StoredEvent, 'sequence' | 'payloadBytes'> => ({
  id,
  scope: SCOPE,
  functionId: 'fn-1',
  functionName: 'orders',
  qualifier: '$LATEST',
  traceId: 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0',
  clientContext: '',
  tenantId: '',
  acceptedAtMs: THEN_MS,
  dueAtMs: THEN_MS,
  attempt: 0,
  payload: Buffer.from('{"order":1}'),
})

/** The record of a warm success. */
export const makeRun = (runId: string): RunRecord => ({
  runId,
  kind: 'invocation',
  trigger: 'sync',
  scope: SCOPE,
  functionId: 'fn-1',
  functionName: 'orders',
  version: '$LATEST',
  qualifier: '$LATEST',
  status: 'succeeded',
  acceptedAtMs: THEN_MS,
  startedAtMs: THEN_MS + 1,
  durationMs: 3.0123,
  billedMs: 4,
  initMs: null,
  memoryMb: 128,
  maxMemoryMb: 36,
  errorType: null,
  errorMessage: null,
  environmentId: 'environment-1',
  attempt: 1,
})

/** A stream of the function that the other samples run. */
export const makeStream = (more: Partial<LogStream> = {}): LogStream => ({
  scope: SCOPE,
  functionId: 'fn-1',
  functionName: 'orders',
  version: '$LATEST',
  group: '/aws/lambda/orders',
  name: '2026/01/02/[$LATEST]0123456789abcdef0123456789abcdef',
  format: 'Text',
  systemLevel: 'INFO',
  ...more,
})

/** What a test engine logs, kept to look at. */
export interface KeptLog extends Log {
  readonly lines: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[]
}

/** A log that keeps its lines. */
export function keptLog(): KeptLog {
  const lines: KeptLog['lines'] = []
  const at =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push({ level, event, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
