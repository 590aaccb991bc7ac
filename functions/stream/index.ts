import { setTimeout as delay } from 'node:timers/promises'
import type { FunctionConfig } from 'lambent'

/** Writes its answer word by word; the caller reads each as it is written. */
export const config = { url: { stream: true }, timeout: '1m' } satisfies FunctionConfig

const TEXT = 'A response that is streamed arrives while it is still being written.'
const DEFAULT_PAUSE_MS = 150
const MAX_PAUSE_MS = 2000

interface StreamEvent {
  readonly pauseMs?: number
  readonly queryStringParameters?: { readonly pauseMs?: string }
}

export const handler = awslambda.streamifyResponse<StreamEvent>(async (event, responseStream, context) => {
  const stream = awslambda.HttpResponseStream.from(responseStream, {
    statusCode: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-request-id': context.awsRequestId },
  })
  const asked = Number(event.queryStringParameters?.pauseMs ?? event.pauseMs ?? DEFAULT_PAUSE_MS)
  const pauseMs = asked >= 0 ? Math.min(asked, MAX_PAUSE_MS) : DEFAULT_PAUSE_MS
  for (const word of TEXT.split(' ')) {
    stream.write(`${word} `)
    await delay(pauseMs)
  }
  stream.end('\n')
})
