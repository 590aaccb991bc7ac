import { isDeepStrictEqual } from 'node:util'
import type { RouteSource } from './config-file.ts'
import { callOrUndefined, type LambdaCall } from './lambda-client.ts'
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
  const held = await callOrUndefined(call, 'GET', PATH)
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
