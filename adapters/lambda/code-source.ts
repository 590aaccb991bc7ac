import { EngineError, isEngineError } from '../../runtime/errors.ts'
import type { CodePackage } from '../../runtime/registry/types.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { readObject } from './buckets.ts'
import type { Constraints } from './constraints.ts'
import { pattern } from './constraints.ts'
import type { RouteParts } from './context.ts'
import type { Fields } from './fields.ts'
import { KMS_KEY } from './kept-members.ts'

const ZIPPED_BYTES = 52_428_800
const UNZIPPED_BYTES = 262_144_000
const BUCKET = pattern(String.raw`[0-9A-Za-z\.\-_]*(?<!\.)`)

/** What the model says about where code lies. */
export function checkCodeSource(body: Fields, at: string, constraints: Constraints): void {
  constraints.length(body.text('S3Bucket'), `${at}s3Bucket`, 3, 63)
  constraints.pattern(body.text('S3Bucket'), `${at}s3Bucket`, BUCKET)
  constraints.length(body.text('S3Key'), `${at}s3Key`, 1, 1024)
  constraints.length(body.text('S3ObjectVersion'), `${at}s3ObjectVersion`, 1, 1024)
  constraints.pattern(body.text('SourceKMSKeyArn'), `${at}sourceKMSKeyArn`, KMS_KEY)
}

/**
 * The zip that a body gives as `ZipFile`, or names with `S3Bucket` and `S3Key`, verified and kept.
 *
 * Rejects with EngineError 'invalid' in the service's words, or 'too-large'.
 */
export async function readZip(
  body: Fields | undefined,
  { packages, aws, config }: Pick<RouteParts, 'packages' | 'aws' | 'config'>,
  scope: Scope,
): Promise<CodePackage> {
  const bucket = body?.text('S3Bucket')
  const key = body?.text('S3Key')
  const encoded = body?.text('ZipFile')
  try {
    if (encoded !== undefined) return await packages.add(decoded(encoded, config.limits))
    if (bucket === undefined || key === undefined)
      throw new EngineError('invalid', 'Please provide a source for function code.')
    const object = { bucket, key, version: body?.text('S3ObjectVersion') }
    // what is fetched may be larger than what fits in a request, up to what may be unpacked
    const zip = await readObject(aws, scope, object, UNZIPPED_BYTES)
    return await packages.add(zip, { maxZipBytes: UNZIPPED_BYTES })
  } catch (error) {
    throw isEngineError(error, 'invalid') ? inServiceWords(error) : error
  }
}

function decoded(encoded: string, limits: 'extended' | 'strict'): Buffer {
  const zip = Buffer.from(encoded, 'base64')
  if (zip.length === 0) throw new EngineError('invalid', 'Uploaded file must be a non-empty zip')
  if (limits === 'strict' && zip.length > ZIPPED_BYTES)
    throw new EngineError('too-large', `Zipped size must be smaller than ${ZIPPED_BYTES} bytes`, {
      detail: 'body',
    })
  return zip
}

function inServiceWords(error: EngineError): EngineError {
  const { detail, message } = error
  if (detail === 'unzipped-too-large')
    return new EngineError('invalid', `Unzipped size must be smaller than ${UNZIPPED_BYTES} bytes`, {
      cause: error,
    })
  if (detail === 'zip-too-large')
    return new EngineError('too-large', `Zipped size must be smaller than ${ZIPPED_BYTES} bytes`, {
      cause: error,
      detail: 'body',
    })
  if (detail !== 'bad-zip') return error
  return new EngineError(
    'invalid',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
    { cause: error, hint: message },
  )
}
