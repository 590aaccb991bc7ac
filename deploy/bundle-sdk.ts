import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'

/**
 * Resolves `lambent` and `lambent/client`, wherever the code lies, to the SDK that came with this
 * command. The SDK is a thin face: what it does inside an environment it asks of the environment, by a
 * versioned global symbol.
 */
export const sdkPlugin: Plugin = {
  name: 'lambent-sdk',
  setup(build) {
    build.onResolve({ filter: /^lambent(?:\/client)?$/ }, ({ path }) => ({
      path: sdkPath(path === 'lambent' ? 'index' : 'client'),
      sideEffects: false,
    }))
  },
}

/** In the checkout's sources, or as it was built, beside the running CLI. */
function sdkPath(name: 'index' | 'client'): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const built = join(here, name === 'index' ? 'sdk.js' : 'client.js')
  const candidates = [built, join(here, '..', 'runtime', 'sdk', `${name}.ts`)]
  const found = candidates.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`${built} is missing. Run: npm run build`)
  return found
}
