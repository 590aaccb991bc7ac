import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type { CorsSettings, UrlRecord } from '../../runtime/registry/function-record.ts'
import { urlOf, type UrlUpdate } from '../../runtime/registry/urls.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf } from './paging.ts'
import { urlConfiguration } from './wire.ts'

const QUALIFIER = pattern(String.raw`((?!^\d+$)^[0-9a-zA-Z-_]+$)`)

/** CreateFunctionUrlConfig and its family, and ListFunctionUrlConfigs. */
export const urlRoutes: Routes = (app, { registry, publicUrls }) => {
  const path = '/2021-10-31/functions/:function/url'

  app.post(path, async (context) => {
    const { scope, functionName, qualifier } = placeOf(context)
    const body = await fieldsFor(context, 'CreateFunctionUrlConfig')
    const update = readUrl(body, true)
    if (registry.find(scope, functionName) === undefined)
      throw new EngineError('not-found', 'Function does not exist')
    const url = await registry.createUrl(scope, functionName, {
      qualifier,
      auth: update.auth ?? 'none',
      invokeMode: update.invokeMode ?? null,
      cors: update.cors ?? null,
    })
    const record = registry.get(scope, functionName)
    return context.json(urlConfiguration(record, url, publicUrls().ingress, 'created'), 201)
  })

  app.get(path, (context) => {
    const { scope, functionName, qualifier } = placeOf(context)
    const record = registry.find(scope, functionName)
    if (record === undefined) throw missing()
    const url = urlOf(record, qualifier)
    return context.json(urlConfiguration(record, url, publicUrls().ingress, 'read'))
  })

  app.put(path, async (context) => {
    const { scope, functionName, qualifier } = placeOf(context)
    const update = readUrl(await fieldsFor(context, 'UpdateFunctionUrlConfig'), false)
    if (registry.find(scope, functionName) === undefined)
      throw new EngineError('not-found', 'Function does not exist')
    const url = await registry.updateUrl(scope, functionName, qualifier, update)
    const record = registry.get(scope, functionName)
    return context.json(urlConfiguration(record, url, publicUrls().ingress, 'updated'))
  })

  app.delete(path, async (context) => {
    const { scope, functionName, qualifier } = placeOf(context)
    if (registry.find(scope, functionName) === undefined) throw missing()
    await registry.deleteUrl(scope, functionName, qualifier)
    return empty(context)
  })

  app.get('/2021-10-31/functions/:function/urls', (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const record = registry.find(scope, functionName)
    if (record === undefined) throw new EngineError('not-found', 'Function does not exist')
    const urls = [...record.urls.values()].sort((left, right) => (left.qualifier < right.qualifier ? -1 : 1))
    const page = pageOf(urls, (url) => ` ${url.qualifier}`, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
      limit: 50,
    })
    return context.json({
      FunctionUrlConfigs: page.items.map((url) =>
        urlConfiguration(record, url, publicUrls().ingress, 'read'),
      ),
      NextMarker: page.nextMarker,
    })
  })
}

/** A URL belongs to a function or an alias, never to a version. */
function placeOf(context: Context): { scope: UrlPlace['scope']; functionName: string; qualifier: string } {
  const constraints = new Constraints()
  constraints.pattern(context.req.query('Qualifier'), 'qualifier', QUALIFIER)
  constraints.check()
  const { scope, functionName, qualifier = '' } = labelFor(context, 'plain')
  return { scope, functionName, qualifier }
}

type UrlPlace = ReturnType<typeof labelFor>

const missing = (): EngineError => new EngineError('not-found', 'The resource you requested does not exist.')

function readUrl(body: Fields, isNew: boolean): UrlUpdate {
  const auth = body.text('AuthType')
  const mode = body.text('InvokeMode')
  const cors = body.fields('Cors')
  const constraints = new Constraints()
  if (isNew) constraints.required(auth, 'authType')
  constraints.oneOf(auth, 'authType', ['NONE', 'AWS_IAM'])
  constraints.oneOf(mode, 'invokeMode', ['RESPONSE_STREAM', 'BUFFERED'])
  constraints.range(cors?.integer('MaxAge'), 'cors.maxAge', 0, 86_400)
  constraints.check()
  return {
    ...(auth === undefined ? {} : { auth: auth === 'AWS_IAM' ? 'iam' : 'none' }),
    ...(mode === undefined ? {} : { invokeMode: modeOf(mode) }),
    ...(cors === undefined ? {} : { cors: readCors(cors) }),
  }
}

const modeOf = (mode: string): UrlRecord['invokeMode'] =>
  mode === 'BUFFERED' ? 'buffered' : 'response-stream'

function readCors(cors: Fields): CorsSettings {
  const members: CorsSettings = {
    allowCredentials: cors.flag('AllowCredentials'),
    allowHeaders: cors.texts('AllowHeaders'),
    allowMethods: cors.texts('AllowMethods'),
    allowOrigins: cors.texts('AllowOrigins'),
    exposeHeaders: cors.texts('ExposeHeaders'),
    maxAgeSeconds: cors.integer('MaxAge'),
  }
  return members
}
