import { chmod, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'

/** Builds dist/: the CLI with the engine in it, the programs the engine starts beside itself, and the SDK. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const from = (path: string): string => join(root, path)

const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
  legalComments: 'none',
}

/** Programs that use npm packages find them in node_modules at run time. */
const programs: BuildOptions = {
  ...common,
  format: 'esm',
  packages: 'external',
  outdir: from('dist'),
  entryNames: '[name]',
}

/** What runs inside an environment is one file without dependencies, for every Node.js from 20 on. */
const sandboxed: BuildOptions = { ...common, format: 'cjs', sourcemap: false, minifySyntax: true }

await rm(from('dist'), { recursive: true, force: true })
await Promise.all([
  build({
    ...programs,
    entryPoints: {
      lambent: from('deploy/cli.ts'),
      sdk: from('runtime/sdk/index.ts'),
      client: from('runtime/sdk/client.ts'),
      'entry/spawner': from('runtime/environments/spawner/main.ts'),
      'entry/committer': from('runtime/store/committer-thread.ts'),
      'entry/packager': from('runtime/registry/packager-thread.ts'),
      'entry/keeper': from('runtime/environments/keeper/main.ts'),
    },
  }),
  build({
    ...sandboxed,
    entryPoints: [from('runtime/environments/entry/main.ts')],
    outfile: from('dist/entry/environment.cjs'),
  }),
])
await chmod(from('dist/lambent.js'), 0o755)
