import type { ServerResponse } from 'node:http'
import type { InvokeMeta } from '../../frames.ts'
import { MAX_TIMER_MS, monotonicMs, nowMs } from '../clock.ts'
import type { StreamedResponse } from './streamed-response.ts'

/** Where an invocation stands between engine and runtime; the names on the wire are AWS's. */
export type HeldState = 'queued' | 'running' | 'responding' | 'answered'

/** One invocation from its frame to its answer. */
export class HeldInvocation {
  readonly id: number
  readonly meta: InvokeMeta
  readonly payload: Buffer
  state: HeldState = 'queued'
  /** When the runtime was handed it; monotonic. */
  startedAtMs = 0
  stream: StreamedResponse | undefined
  /** What was answered: its size so far, and error JSON if it is one. */
  producedBytes = 0
  error: Buffer | undefined

  constructor(id: number, meta: InvokeMeta, payload: Buffer) {
    this.id = id
    this.meta = meta
    this.payload = payload
  }

  /** Answers a runtime's poll with this invocation. */
  handOver(response: ServerResponse): void {
    this.state = 'running'
    this.startedAtMs = monotonicMs()
    const payload = this.payload.length === 0 ? EMPTY_EVENT : this.payload
    response.writeHead(200, { ...headersOf(this.meta), 'Content-Length': payload.length })
    response.end(payload)
  }
}

const EMPTY_EVENT = Buffer.from('{}')

function headersOf(meta: InvokeMeta): Record<string, string> {
  // Clients compute with the deadline, so there always is one; without a limit it lies as far as timers go.
  const deadlineMs = meta.deadlineMs === 0 ? nowMs() + MAX_TIMER_MS : meta.deadlineMs
  return {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Aws-Request-Id': meta.requestId,
    'Lambda-Runtime-Deadline-Ms': String(deadlineMs),
    'Lambda-Runtime-Invoked-Function-Arn': meta.invokedArn,
    ...(meta.traceId === '' ? {} : { 'Lambda-Runtime-Trace-Id': meta.traceId }),
    ...(meta.clientContext === ''
      ? {}
      : { 'Lambda-Runtime-Client-Context': clientContextOf(meta.clientContext) }),
    ...(meta.tenantId === '' ? {} : { 'Lambda-Runtime-Aws-Tenant-Id': meta.tenantId }),
  }
}

/** The client's JSON on one line, as the bytes of its UTF-8. */
function clientContextOf(base64: string): string {
  const text = JSON.stringify(JSON.parse(Buffer.from(base64, 'base64').toString('utf8')))
  return Buffer.from(text, 'utf8').toString('latin1')
}
