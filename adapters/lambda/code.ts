import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { imagePackage } from '../../runtime/registry/function-record.ts'
import { readArchitecture } from './configuration.ts'
import { configOfFunction, refuseUnsigned } from './code-signing.ts'
import { checkCodeSource, readZip } from './code-source.ts'
import { checkPublishTo, readPublishTo } from './capacity-settings.ts'
import { Constraints } from './constraints.ts'
import { DOWNLOADS } from './code-links.ts'
import { labelFor, versionFor, type Routes } from './context.ts'
import { CODE_BODY_BYTES, readFields } from './fields.ts'
import { updatedImage } from './images.ts'
import { withSourceKey } from './kept-members.ts'
import { functionConfiguration } from './wire.ts'

/** UpdateFunctionCode, and the downloads that GetFunction links to. */
export const codeRoutes: Routes = (app, parts) => {
  const { registry, packages, codeSigning, links } = parts

  app.put('/2015-03-31/functions/:function/code', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await readFields(context.req.raw, CODE_BODY_BYTES, 'UpdateFunctionCode')
    const constraints = new Constraints()
    const architecture = readArchitecture(body, constraints)
    checkCodeSource(body, '', constraints)
    checkPublishTo(body, constraints)
    constraints.check()
    const before = registry.get(scope, functionName)
    const image = updatedImage(body, versionFor(before).settings.image)
    refuseUnsigned(configOfFunction(before, codeSigning))
    const codePackage = image === undefined ? await readZip(body, parts, scope) : imagePackage(image)
    const revisionId = body.text('RevisionId')
    const version = await registry.update(scope, functionName, (record) => ({
      codePackage,
      settings: {
        ...versionFor(record).settings,
        image,
        kept: withSourceKey(versionFor(record).settings.kept, body),
        ...(architecture === undefined ? {} : { architecture }),
      },
      publish: readPublishTo(body),
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
