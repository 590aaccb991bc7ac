import { setTimeout as delay } from 'node:timers/promises'
import type { FunctionConfig } from 'lambent'

export const config = { url: { stream: true } } satisfies FunctionConfig

interface UrlEvent {
  readonly rawPath: string
  readonly body?: string
  readonly isBase64Encoded: boolean
}

export const handler = awslambda.streamifyResponse<UrlEvent>(async (event, responseStream) => {
  if (event.rawPath === '/plain') {
    responseStream.write('no prelude')
    responseStream.end()
    return
  }
  const sent = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const stream = awslambda.HttpResponseStream.from(responseStream, {
    statusCode: 418,
    headers: { 'content-type': 'application/octet-stream', 'x-bytes': String(sent.length) },
    cookies: ['a=1; Path=/', 'b=2'],
  })
  stream.write(sent)
  await delay(500)
  stream.end('last')
})
