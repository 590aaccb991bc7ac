import { checkPublishTo, readPublishTo } from './capacity-settings.ts'
import { Constraints } from './constraints.ts'
import { fieldsFor, labelFor, type Routes } from './context.ts'
import { pageOf, versionKey } from './paging.ts'
import { configurationRow, functionConfiguration } from './wire.ts'

/** PublishVersion and ListVersionsByFunction. */
export const versionRoutes: Routes = (app, { registry }) => {
  app.post('/2015-03-31/functions/:function/versions', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await fieldsFor(context, 'PublishVersion')
    const description = body.text('Description')
    const codeSha256 = body.text('CodeSha256')
    const revisionId = body.text('RevisionId')
    const constraints = new Constraints()
    constraints.length(description, 'description', 0, 256)
    checkPublishTo(body, constraints)
    constraints.check()
    const version = await registry.publish(scope, functionName, {
      to: readPublishTo(body, true),
      ...(description === undefined ? {} : { description }),
      ...(codeSha256 === undefined ? {} : { codeSha256 }),
      ...(revisionId === undefined ? {} : { revisionId }),
    })
    return context.json(
      functionConfiguration(registry.get(scope, functionName), version, version.version),
      201,
    )
  })

  app.get('/2015-03-31/functions/:function/versions', (context) => {
    const { scope, functionName } = labelFor(context)
    const record = registry.get(scope, functionName)
    const versions = [...record.versions.values()].sort((left, right) =>
      versionKey(left.version) < versionKey(right.version) ? -1 : 1,
    )
    const page = pageOf(versions, (version) => versionKey(version.version), {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    return context.json({
      Versions: page.items.map((version) => configurationRow(record, version, version.version)),
      NextMarker: page.nextMarker,
    })
  })
}
