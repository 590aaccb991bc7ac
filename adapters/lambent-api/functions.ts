import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { LATEST, type FunctionRecord, type UrlRecord } from '../../runtime/registry/function-record.ts'
import { checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, ScopeQuery } from './schemas.ts'

/** `GET functions`: every function of one account and region, with its routes and its URLs in both forms. */
export function addFunctions(app: Hono, { engine, registry, ingressUrls }: LambentApiParts): void {
  app.get(
    '/functions',
    describeRoute(describing('Functions with their versions, aliases, tags and URLs', 'functions')),
    checked('query', ScopeQuery),
    (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      const bases = ingressUrls()
      const routes = engine.routes.list(scope)
      const functions = registry.list(scope).flatMap((record) => {
        const own = routes.filter(({ functionName }) => functionName === record.functionName)
        return (
          show(
            record,
            own.map(({ key }) => key),
            bases,
          ) ?? []
        )
      })
      return context.json({ functions })
    },
  )
}

type Bases = ReturnType<LambentApiParts['ingressUrls']>

function show(record: FunctionRecord, routes: string[], bases: Bases): object | undefined {
  const latest = record.versions.get(LATEST)
  if (latest === undefined) return undefined
  const { settings, runnable, state } = latest
  return {
    name: record.functionName,
    runtime: settings.runtime,
    handler: settings.handler,
    state: state.kind,
    stateReason: state.kind === 'failed' ? state.reason : undefined,
    memoryMb: settings.memoryMb,
    timeoutMs: runnable.timeoutMs,
    codeBytes: latest.codePackage.sizeBytes,
    modifiedAtMs: latest.modifiedAtMs,
    versions: [...record.versions.keys()],
    aliases: Object.fromEntries(Array.from(record.aliases.values(), (alias) => [alias.name, alias.version])),
    tags: record.tags,
    urls: Array.from(record.urls.values(), (url) => showUrl(record, url, bases)),
    routes,
  }
}

const showUrl = (record: FunctionRecord, url: UrlRecord, { host, path }: Bases): object => ({
  qualifier: url.qualifier,
  url: `${host.protocol}//${url.urlId}.lambda-url.${record.scope.region}.${host.host}/`,
  urlByPath: `${path}/lambda-url/${url.urlId}/`,
  auth: url.auth,
  stream: url.invokeMode === 'response-stream',
})
