import { EngineError, messageOf } from '../../runtime/errors.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { AwsClients } from '../aws/clients.ts'

/** Where code lies in S3, or in whatever speaks its protocol. */
export interface BucketObject {
  readonly bucket: string
  readonly key: string
  readonly version: string | undefined
}

/**
 * An object's bytes. Rejects with EngineError 'invalid' in the service's words with S3's own code and
 * message, or with detail 'zip-too-large' past `maxBytes`.
 */
export async function readObject(
  aws: AwsClients,
  scope: Scope,
  object: BucketObject,
  maxBytes: number,
): Promise<Buffer> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const client = await aws.get('s3', scope)
  try {
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
    const code = error instanceof Error ? error.name : 'Unknown'
    throw new EngineError(
      'invalid',
      `Error occurred while GetObject. S3 Error Code: ${code}. S3 Error Message: ${messageOf(error)}`,
      { cause: error },
    )
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
