import type { IncomingMessage } from 'node:http'

const EMPTY = Buffer.alloc(0)

/**
 * Reads a request's body, at most `limitBytes` of it. `done` is called once, or never when the client goes
 * away first. Past the limit nothing more is kept, whatever Content-Length promised.
 */
export function readBody(
  request: IncomingMessage,
  limitBytes: number,
  done: (body: Buffer | 'too-large') => void,
): void {
  const { headers } = request
  const announced = headers['content-length']
  if (announced === undefined && headers['transfer-encoding'] === undefined) return done(EMPTY)
  if (announced !== undefined && Number(announced) > limitBytes) {
    request.resume()
    return done('too-large')
  }
  const chunks: Buffer[] = []
  let sizeBytes = 0
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length
    if (sizeBytes <= limitBytes) {
      chunks.push(chunk)
    } else if (sizeBytes - chunk.length <= limitBytes) {
      chunks.length = 0
      done('too-large')
    }
  })
  request.on('end', () => {
    if (sizeBytes > limitBytes) return
    const [first = EMPTY] = chunks
    done(chunks.length <= 1 ? first : Buffer.concat(chunks, sizeBytes))
  })
  // A client that leaves in the middle of its request has asked for nothing.
  request.on('error', () => (chunks.length = 0))
}
