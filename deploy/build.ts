import { chmod, copyFile, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
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
  metafile: true,
}

/** Programs that use npm packages find them in node_modules at run time. */
const programs: BuildOptions = {
  ...common,
  format: 'esm',
  packages: 'external',
  outdir: from('dist'),
  entryNames: '[dir]/[name]',
}

/** What runs inside an environment is one file without dependencies, for every Node.js from 20 on. */
const sandboxed: BuildOptions = { ...common, format: 'cjs', sourcemap: false, minifySyntax: true }

const UNBUNDLED = [
  'better-sqlite3',
  'esbuild',
  'koffi',
  'chokidar',
  'node-cron',
  'pino',
  '@aws-sdk/*',
  'kafkajs',
]
const REQUIRE = `import { createRequire as lambentRequire } from 'node:module'; const require = lambentRequire(import.meta.url);`

const results = await Promise.all([
  // Split, so that a command loads only what it needs; chunks lie beside lambent.js, as `entryPath` expects.
  // npm packages are bundled in: one file is read and compiled sooner than hundreds. Left out is what has
  // native code
  // or reads files of its own; what is CommonJS inside needs a `require`.
  build({
    ...programs,
    packages: 'bundle',
    external: UNBUNDLED,
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    entryPoints: { lambent: from('deploy/cli.ts') },
    splitting: true,
    chunkNames: 'lambent-[hash]',
    legalComments: 'linked',
  }),
  build({
    ...programs,
    entryPoints: {
      sdk: from('runtime/sdk/index.ts'),
      client: from('runtime/sdk/client.ts'),
      'entry/spawner': from('runtime/environments/spawner/main.ts'),
      'entry/gpu-probe': from('runtime/environments/gpu-probe/main.ts'),
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
const python = from('dist/entry/bootstrap.py')
await copyFile(from('runtime/environments/entry/python/bootstrap.py'), python)

/** A running engine still loads chunks of the build it was started from: what was left goes after an hour. */
const KEEP_MS = 3_600_000
const written = new Set(
  [...results.flatMap(({ metafile }) => Object.keys(metafile?.outputs ?? {})), python].map((path) =>
    resolve(path),
  ),
)
for (const entry of await readdir(from('dist'), { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  if (!entry.isFile() || written.has(path) || path.startsWith(from('dist/types'))) continue
  if ((await stat(path)).mtimeMs < Date.now() - KEEP_MS) await rm(path, { force: true })
}
