import { createHash } from 'node:crypto'
import { request, type IncomingHttpHeaders } from 'node:http'

/** One answer, byte for byte. */
export interface Served {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** One request of the comparisons. */
export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** Sends one request with nothing added to it and nothing undone in its answer. `host`: what Host says. */
export async function ask(base: string, asked: Asked, host?: string): Promise<Served> {
  const { method = asked.body === undefined ? 'GET' : 'POST', path, headers = {}, body } = asked
  const { hostname, port, pathname } = new URL(base)
  const named = host === undefined ? headers : { ...headers, host }
  return await new Promise((resolve, reject) => {
    const options = { hostname, port, path: pathname.replace(/\/$/, '') + path, method, headers: named }
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      )
    })
    sent.on('error', reject).end(body)
  })
}

/**
 * What has to be the same wherever an app is served: status, body, and the headers that apps set. A type is
 * the same with and without a space; where there is no body, a URL's default is not the app's.
 */
export const essence = ({ status, headers, body }: Served): object => ({
  status,
  type: body.length === 0 ? undefined : headers['content-type']?.replaceAll('; ', ';'),
  location: headers.location,
  cookies: headers['set-cookie'],
  sha256: headers['x-sha256'],
  body: createHash('sha256').update(body).digest('hex'),
  text: body.subarray(0, 200).toString('latin1'),
})
