import type { S3Client } from '@aws-sdk/client-s3'
import { EngineError, messageOf } from '../../runtime/errors.ts'

/** Where code lies in S3. */
export interface BucketObject {
  readonly bucket: string
  readonly key: string
  readonly version: string | undefined
}

/** Clients kept, one a region. */
const MAX_CLIENTS = 32

/**
 * Reads code out of S3, or whatever speaks its protocol: the client's own settings say where that is and with
 * what credentials (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the usual chain). Nothing is loaded before the
 * first read.
 */
export class Buckets {
  readonly #clients = new Map<string, S3Client>()

  /**
   * The object's bytes. Rejects 'invalid' in the service's words with S3's own code and message, or with
   * detail 'zip-too-large' past `maxBytes`.
   */
  async read(region: string, object: BucketObject, maxBytes: number): Promise<Buffer> {
    const { GetObjectCommand } = await import('@aws-sdk/client-s3')
    try {
      const client = await this.#client(region)
      const { Body } = await client.send(
        new GetObjectCommand({
          Bucket: object.bucket,
          Key: object.key,
          ...(object.version === undefined ? {} : { VersionId: object.version }),
        }),
      )
      // the cast: in Node.js a body is a stream of buffers
      return await collect((Body ?? []) as AsyncIterable<Buffer>, maxBytes)
    } catch (error) {
      if (error instanceof EngineError) throw error
      const name = error instanceof Error ? error.name : 'Unknown'
      throw new EngineError(
        'invalid',
        `Error occurred while GetObject. S3 Error Code: ${name}. S3 Error Message: ${messageOf(error)}`,
        { cause: error },
      )
    }
  }

  async #client(region: string): Promise<S3Client> {
    const known = this.#clients.get(region)
    if (known !== undefined) return known
    const { S3Client } = await import('@aws-sdk/client-s3')
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env
    const elsewhere = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? '') !== ''
    const anonymous = AWS_ACCESS_KEY_ID === undefined && AWS_PROFILE === undefined
    const client = new S3Client({
      region,
      // other servers know buckets by path; and they rarely care who asks, but a client insists on a name
      forcePathStyle: elsewhere,
      ...(elsewhere && anonymous
        ? { credentials: { accessKeyId: 'lambent', secretAccessKey: 'lambent' } }
        : {}),
      maxAttempts: 2,
    })
    if (this.#clients.size >= MAX_CLIENTS) this.close()
    this.#clients.set(region, client)
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.destroy()
    this.#clients.clear()
  }
}

async function collect(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes)
      throw new EngineError('invalid', `The object has more than ${maxBytes} bytes.`, {
        detail: 'zip-too-large',
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}
