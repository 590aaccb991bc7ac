import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a handler tells when it runs an event. */
export interface EventReport {
  readonly id: string
  /** Which boot of the engine started the process, so that a late word of a dying one is told apart. */
  readonly engine: string
  readonly environment: string
}

/**
 * Where handlers tell that they run: over loopback, which every isolation level but the strictest leaves
 * open.
 */
export interface ReportDesk extends AsyncDisposable {
  readonly port: number
  /** By event id, in order of arrival. */
  readonly reports: ReadonlyMap<string, readonly EventReport[]>
}

/** Answers each report at once, or, while `hold` gives a promise, when that has resolved. */
export async function openReportDesk(
  hold: () => Promise<void> | undefined = () => undefined,
): Promise<ReportDesk> {
  const reports = new Map<string, EventReport[]>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    // A handler that was killed while it spoke has said nothing.
    request.on('end', () => {
      const report = JSON.parse(Buffer.concat(chunks).toString('utf8')) as EventReport // our own handler sent it
      const known = reports.get(report.id)
      if (known === undefined) reports.set(report.id, [report])
      else known.push(report)
      const held = hold()
      if (held === undefined) response.end()
      else void held.then(() => response.end())
    })
  })
  // Handlers keep their connection; closing idle ones would race with their next word.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    reports,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The code of a handler that reports each event and ends when the desk has taken it. */
export const reportingHandler = (port: number): string => `
const http = require('node:http')
const agent = new http.Agent({ keepAlive: true })
const variables = require('node:fs').readFileSync('/proc/self/environ', 'latin1').split('\\0')
const engine = variables.find((one) => one.startsWith('LAMBENT_ENGINE=')) ?? 'unknown'
const environment = process.env.AWS_LAMBDA_LOG_STREAM_NAME
exports.handler = ({ id }) => new Promise((resolve, reject) => {
  const request = http.request({ host: '127.0.0.1', port: ${port}, method: 'POST', agent }, (response) =>
    response.resume().on('end', () => resolve({ id })))
  request.on('error', reject)
  request.end(JSON.stringify({ id, engine, environment }))
})
`
