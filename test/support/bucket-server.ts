import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that answers S3's GetObject from memory, as S3 does. */
export interface BucketServer extends AsyncDisposable {
  /** What a process or a client needs to find it. */
  readonly environment: Readonly<Record<string, string>>
  /** Objects by bucket, then by key, with `?versionId=…` for what is not the newest version. */
  readonly buckets: Map<string, Map<string, Buffer>>
}

/** Starts a server on a free port with these empty buckets. */
export async function startBucketServer(...names: readonly string[]): Promise<BucketServer> {
  const buckets = new Map(names.map((name) => [name, new Map<string, Buffer>()]))
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const [, bucket = '', ...key] = url.pathname.split('/').map(decodeURIComponent)
    const version = url.searchParams.get('versionId')
    const objects = buckets.get(bucket)
    const found = objects?.get(key.join('/') + (version === null ? '' : `?versionId=${version}`))
    if (found !== undefined) {
      response.writeHead(200, { 'content-length': found.length }).end(found)
      return
    }
    const [code, message] =
      objects === undefined
        ? ['NoSuchBucket', 'The specified bucket does not exist']
        : ['NoSuchKey', 'The specified key does not exist.']
    response
      .writeHead(404, { 'content-type': 'application/xml' })
      .end(
        `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
      )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server that listens
  return {
    environment: {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
    buckets,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
