import { dirname } from 'node:path'
import { build, type BuildFailure, type BuildResult, type Message, type Plugin } from 'esbuild'
import { sdkPlugin } from './bundle-sdk.ts'

/** How a function's entry file is made into a code package. */
export interface BundleOptions {
  /** Packages to copy as they are instead of folding them in; `name` covers `name/file`. */
  readonly external?: readonly string[]
  /** esbuild's name of the oldest Node.js the code must run on. */
  readonly nodeTarget?: string
  /** The export to call. */
  readonly exportName?: string
  readonly signal?: AbortSignal
}

/** Thrown with everything esbuild has to say, one line each with its place. */
export class BundleError extends Error {
  override readonly name = 'BundleError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** What one run of esbuild gives. */
export type Built = BuildResult<{ write: false; metafile: true }>
/** How modules are written in the output. */
export type Format = 'cjs' | 'esm'

/** Stands for `import.meta` in CommonJS. Its getter makes an unused one free. */
const META_BANNER = [
  'const __lambentMeta =',
  "{ get url() { return require('node:url').pathToFileURL(__filename).href } };",
].join(' ')
const REQUIRE_BANNER = [
  `import { createRequire as __lambentCreateRequire } from 'node:module';`,
  `globalThis.require ??= __lambentCreateRequire(import.meta.url);`,
].join(' ')

const DEFINES: Record<Format, Record<string, string>> = {
  cjs: {
    'import.meta.url': '__lambentMeta.url',
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
  },
  esm: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
}

const TEXT = ['.txt', '.md', '.html', '.sql', '.csv', '.pem', '.graphql', '.xml', '.yaml', '.yml'] as const

/** Runs esbuild once, with `outside` left out. Rejects with esbuild's BuildFailure. */
export async function buildOnce(
  path: string,
  outside: ReadonlySet<string>,
  format: Format,
  options: BundleOptions,
): Promise<Built> {
  const extension = format === 'esm' ? '.mjs' : '.cjs'
  return await build({
    entryPoints: { index: path },
    absWorkingDir: dirname(path),
    outdir: dirname(path),
    outExtension: { '.js': extension },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format,
    target: options.nodeTarget ?? 'node20',
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
    external: [...outside].flatMap((name) => [name, `${name}/*`]),
    define: DEFINES[format],
    banner: { js: format === 'cjs' ? META_BANNER : REQUIRE_BANNER },
    loader: Object.fromEntries([
      ...TEXT.map((one) => [one, 'text']),
      ['.wasm', 'binary'],
      ['.node', 'empty'],
    ]),
    plugins: [sdkPlugin, awsSdkPlugin],
  })
}

/** AWS puts its SDK into Lambda's images, so code may use it without installing it. */
const awsSdkPlugin: Plugin = {
  name: 'aws-sdk',
  setup(build) {
    build.onResolve({ filter: /^@aws-sdk\// }, async (args) => {
      if (args.pluginData === 'asked') return undefined
      const { path, kind, importer, resolveDir } = { ...args }
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: 'asked' })
      return found.errors.length === 0 ? found : { path, external: true }
    })
  },
}

/** What esbuild found wrong; rethrows what is no fault of the sources. */
export function buildFailure(error: unknown): BuildFailure {
  // esbuild rejects with a BuildFailure when the sources are at fault, and with plain errors when it is.
  if (error instanceof Error && 'errors' in error) return error as BuildFailure
  throw error
}

/** `file:line:column: text`. */
export function describe(message: Message): string {
  const { location, text } = message
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`
}
