import fs from 'node:fs'
import Module from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

type Resolve = (
  specifier: string,
  context: { readonly parentURL?: string | undefined },
  next: (specifier: string, context?: object) => unknown,
) => unknown

/** Newer than what the oldest supported Node.js has, so its types may or may not know it. */
interface HookingModule {
  registerHooks?: (hooks: { resolve: Resolve }) => unknown
}

/**
 * Lets `import` find packages in the `node_modules` folders of NODE_PATH that are there, as on AWS; Node.js
 * itself looks there for `require` alone. What is found without them stays what it is.
 *
 * @see https://aws.amazon.com/blogs/compute/node-js-18-x-runtime-now-available-in-aws-lambda/
 */
export function importThroughNodePath(): void {
  const parents = (process.env['NODE_PATH'] ?? '')
    .split(':')
    .filter((folder) => folder.endsWith('/node_modules') && fs.existsSync(folder))
    .map((folder) => pathToFileURL(`${dirname(folder)}/-`).href)
  if (parents.length === 0) return
  const { registerHooks } = Module as HookingModule
  if (registerHooks === undefined) Module.register(asyncHooks(parents))
  else registerHooks({ resolve: resolveThrough(parents) })
}

const BARE = /^[^./#][^:]*$/

function resolveThrough(parents: readonly string[]): Resolve {
  return (specifier, context, next) => {
    try {
      return next(specifier, context)
    } catch (error) {
      const { code } = error as { code?: unknown } // whatever was thrown
      if (!BARE.test(specifier) || (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND'))
        throw error
      for (const parentURL of parents) {
        try {
          return next(specifier, { ...context, parentURL })
        } catch {
          // not in this folder either
        }
      }
      throw error
    }
  }
}

/** The same for Node.js without hooks on its own thread: a module that runs on another one. */
const asyncHooks = (parents: readonly string[]): string =>
  `data:text/javascript,${encodeURIComponent(`
    const parents = ${JSON.stringify(parents)}
    export async function resolve(specifier, context, next) {
      try {
        return await next(specifier, context)
      } catch (error) {
        if (!${BARE}.test(specifier) || error?.code !== 'ERR_MODULE_NOT_FOUND') throw error
        for (const parentURL of parents) {
          try {
            return await next(specifier, { ...context, parentURL })
          } catch {}
        }
        throw error
      }
    }`)}`
