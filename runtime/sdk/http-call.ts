import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'

/** Answers larger than this are refused while they are read. */
const MAX_ANSWER_BYTES = 2048 * 1_048_576

/** One request to the engine. */
export interface HttpCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: URL
  headers: Record<string, string>
  body?: string | Uint8Array
  signal?: AbortSignal | undefined
}

/** A whole answer of any status. */
export interface HttpAnswer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

/**
 * Sends one request and reads the answer. Not `fetch`: that gives up on an answer after five minutes, and
 * functions may run for days. Rejects with the signal's reason when it aborts.
 */
export function sendCall(call: HttpCall): Promise<HttpAnswer> {
  const { method, url, headers, body, signal } = call
  const start = url.protocol === 'https:' ? requestHttps : requestHttp
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(signal?.aborted === true ? signal.reason : error)
    const options = {
      method,
      headers: { ...headers, ...length },
      ...(signal === undefined ? {} : { signal }),
    }
    const outgoing = start(url, options, (incoming) => {
      const chunks: Buffer[] = []
      let sizeBytes = 0
      incoming.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
        if (sizeBytes > MAX_ANSWER_BYTES)
          incoming.destroy(new Error(`The answer is larger than ${MAX_ANSWER_BYTES} bytes.`))
        else chunks.push(chunk)
      })
      incoming.on('error', fail)
      incoming.on('end', () => {
        const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body })
      })
    })
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}
