import { isDeepStrictEqual } from 'node:util'
import type { RouteSource } from './config-file.ts'
import { callOrUndefined, LambdaError, type LambdaCall } from './lambda-client.ts'
import { isRecord, recordsIn } from './shapes.ts'

/** What became of the routes of a deploy. */
export interface DeployedRoutes {
  /** For a person, one line each: what was not expected. */
  readonly warnings: readonly string[]
  /** For a person, one line each: what was refused, with the file that says it. */
  readonly problems: readonly string[]
}

const PATH = '/lambent/v1/routes'

/**
 * Makes the engine's routes those that `sources` declare; what a source declared before and does not any
 * more goes. Sources that have not changed are left alone.
 */
export async function deployRoutes(
  sources: readonly RouteSource[],
  call: LambdaCall,
): Promise<DeployedRoutes> {
  const held = await heldRoutes(sources, call)
  const before = held === undefined ? [] : recordsIn(held, 'routes')
  const warnings: string[] = []
  const problems: string[] = []
  for (const { source, place, routes } of sources) {
    const own = before.filter((one) => one.source === source)
    if (isSame(own, routes)) continue
    for (const { route } of routes) {
      const other = before.find((one) => one.route === route && one.source !== source)
      if (other !== undefined)
        warnings.push(
          `${place}: routes: "${route}" was declared by ${String(other.source)}; it is this one's now.`,
        )
    }
    try {
      await call('PUT', PATH, { source, routes })
    } catch (error) {
      if (!(error instanceof Error)) throw error
      problems.push(`${place}: routes: ${error.message}`)
    }
  }
  return { warnings, problems }
}

/** A key for some functions alone may not see routes: it need not, where none are declared. */
async function heldRoutes(sources: readonly RouteSource[], call: LambdaCall): Promise<unknown> {
  try {
    return await callOrUndefined(call, 'GET', PATH)
  } catch (error) {
    const isRefused = error instanceof LambdaError && error.status === 403
    if (isRefused && sources.every(({ routes }) => routes.length === 0)) return undefined
    throw error
  }
}

/** The engine spells defaults out. */
function isSame(held: readonly Record<string, unknown>[], wished: RouteSource['routes']): boolean {
  if (held.length !== wished.length) return false
  return wished.every((one) => {
    const same = held.find(({ route }) => route === one.route)
    if (!isRecord(same)) return false
    const { source: _source, ...rest } = same
    return isDeepStrictEqual(rest, { payload: '2.0', ...one })
  })
}
