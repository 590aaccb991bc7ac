import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { EngineError, isEngineError } from '../../runtime/errors.ts'
import type { CodePackages } from '../../runtime/registry/packages.ts'
import type { CodePackage } from '../../runtime/registry/types.ts'
import { readArchitecture } from './configuration.ts'
import { Constraints } from './constraints.ts'
import { DOWNLOADS } from './code-links.ts'
import { labelFor, versionFor, type Routes } from './context.ts'
import { CODE_BODY_BYTES, readFields, type Fields } from './fields.ts'
import { functionConfiguration } from './wire.ts'

const ZIPPED_BYTES = 52_428_800
const UNZIPPED_BYTES = 262_144_000

/** UpdateFunctionCode, and the downloads that GetFunction links to. */
export const codeRoutes: Routes = (app, parts) => {
  const { registry, packages, config, links } = parts

  app.put('/2015-03-31/functions/:function/code', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await readFields(context.req.raw, CODE_BODY_BYTES, 'UpdateFunctionCode')
    const constraints = new Constraints()
    const architecture = readArchitecture(body, constraints)
    constraints.check()
    if (body.text('ImageUri') !== undefined)
      throw new EngineError(
        'invalid',
        'Please do not provide ImageUri when updating a function with packageType Zip.',
      )
    registry.get(scope, functionName)
    const codePackage = await readZip(body, packages, config.limits)
    const revisionId = body.text('RevisionId')
    const version = await registry.update(scope, functionName, (record) => ({
      codePackage,
      ...(architecture === undefined ? {} : { settings: { ...versionFor(record).settings, architecture } }),
      publish: body.flag('Publish') ?? false,
      dryRun: body.flag('DryRun') ?? false,
      ...(revisionId === undefined ? {} : { revisionId }),
    }))
    const qualifier = version.version === '$LATEST' ? '' : version.version
    return context.json(functionConfiguration(registry.get(scope, functionName), version, qualifier))
  })

  app.get(`${DOWNLOADS}:token`, async (context) => {
    const codePackage = await packages.get(links.open(context.req.param('token')))
    const bytes = Readable.toWeb(createReadStream(codePackage.zipPath))
    // the cast: Node's web streams and the DOM's are the same objects under two names
    return context.body(bytes as unknown as ReadableStream, 200, {
      'content-type': 'application/zip',
      'content-length': String(codePackage.sizeBytes),
      'content-disposition': 'attachment; filename="function.zip"',
    })
  })
}

/**
 * The code package in a body's `ZipFile`, verified and kept. `limits` says whether the service's own sizes
 * hold.
 *
 * Rejects with EngineError 'invalid' in the service's words, 'too-large', or 'unsupported' for code that lies
 * elsewhere.
 */
export async function readZip(
  body: Fields | undefined,
  packages: CodePackages,
  limits: 'extended' | 'strict',
): Promise<CodePackage> {
  if (body?.has('S3Bucket') === true || body?.has('S3Key') === true)
    throw new EngineError(
      'unsupported',
      'Code in S3 (S3Bucket, S3Key) is not built yet: send the zip as ZipFile.',
    )
  if (body?.has('ImageUri') === true)
    throw new EngineError('unsupported', 'Functions from container images are not built yet: send a zip.')
  const encoded = body?.text('ZipFile')
  if (encoded === undefined) throw new EngineError('invalid', 'Please provide a source for function code.')
  const zip = Buffer.from(encoded, 'base64')
  if (zip.length === 0) throw new EngineError('invalid', 'Uploaded file must be a non-empty zip')
  if (limits === 'strict' && zip.length > ZIPPED_BYTES)
    throw new EngineError('too-large', `Zipped size must be smaller than ${ZIPPED_BYTES} bytes`, {
      detail: 'body',
    })
  try {
    return await packages.add(zip)
  } catch (error) {
    throw isEngineError(error, 'invalid') ? inServiceWords(error) : error
  }
}

function inServiceWords(error: EngineError): EngineError {
  const { detail = '', message } = error
  if (detail === 'unzipped-too-large')
    return new EngineError('invalid', `Unzipped size must be smaller than ${UNZIPPED_BYTES} bytes`, {
      cause: error,
    })
  if (detail === 'zip-too-large')
    return new EngineError('too-large', `Zipped size must be smaller than ${ZIPPED_BYTES} bytes`, {
      cause: error,
      detail: 'body',
    })
  return new EngineError(
    'invalid',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
    { cause: error, hint: message },
  )
}
