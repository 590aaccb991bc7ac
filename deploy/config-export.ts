import { dirname, resolve } from 'node:path'
import { readFile } from 'node:fs/promises'
import { build, transform, type Loader, type Plugin } from 'esbuild'
import { sdkPlugin } from './bundle-sdk.ts'
import { declaredNames, mentions, splitStatements } from './config-statements.ts'

/**
 * The value of `export const config` of a function's source, without running the rest of it: only the
 * statements that `config` is made of are evaluated, and of its imports only those it names. Undefined
 * when it exports none.
 *
 * Rejects with esbuild's BuildFailure when the source does not parse, or with what evaluating `config`
 * throws.
 */
export async function readConfigExport(entry: string): Promise<unknown> {
  const path = resolve(entry)
  const statements = await parse(path)
  const needed = statementsOf('config', statements)
  if (needed === undefined) return undefined
  const { outputFiles } = await build({
    stdin: { contents: needed.join('\n'), resolveDir: dirname(path), sourcefile: path, loader: 'js' },
    absWorkingDir: dirname(path),
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    treeShaking: true,
    target: 'node20',
    logLevel: 'silent',
    plugins: [sdkPlugin, withoutSideEffects],
  })
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64')
  // what was just written
  const module = (await import(`data:text/javascript;base64,${code}`)) as { config?: unknown }
  return module.config
}

/**
 * The top-level statements of a source in esbuild's plain spelling: no types, no comments, one form for
 * everything.
 */
async function parse(path: string): Promise<string[]> {
  const extension = /\.[cm]?([jt]sx?)$/.exec(path)?.[1] ?? 'js'
  const { code } = await transform(await readFile(path, 'utf8'), {
    loader: extension as Loader, // js, jsx, ts or tsx: the expression says so
    sourcefile: path,
    format: 'esm',
    target: 'node20',
    charset: 'utf8',
    legalComments: 'none',
    tsconfigRaw: {},
  })
  return splitStatements(code)
}

/**
 * The statements that make the export `name`, in their order; undefined when there is no such export.
 * Imports stay all: the bundler drops those that nothing uses.
 */
function statementsOf(name: string, statements: readonly string[]): string[] | undefined {
  const exported = statements.find(
    (one) =>
      one.startsWith('export ') && (declaredNames(one).includes(name) || exportsAs(one, name) !== undefined),
  )
  if (exported === undefined) return undefined
  const source = /\bfrom\s*(["'].*["'])/s.exec(exported)?.[1]
  const local = exportsAs(exported, name) ?? name
  if (exported.startsWith('export {') && source !== undefined)
    return [`export { ${local} as ${name} } from ${source};`]
  const wanted = new Set([local])
  const kept = new Set<string>()
  for (let size = -1; size !== kept.size;) {
    size = kept.size
    for (const one of statements) {
      if (kept.has(one) || !declaredNames(one).some((declared) => wanted.has(declared))) continue
      kept.add(one)
      if (one.startsWith('import ')) continue
      for (const other of statements)
        for (const declared of declaredNames(other)) if (mentions(one, declared)) wanted.add(declared)
    }
  }
  const ordered = statements.filter((one) => kept.has(one)).map((one) => one.replace(/^export (?!\{)/, ''))
  return [...ordered, `export { ${local} as ${name} };`]
}

/** The local name that an `export { local as name }` gives out; undefined when it does not. */
function exportsAs(statement: string, name: string): string | undefined {
  const list = /^export \{([^}]*)\}/s.exec(statement)?.[1]
  for (const item of list?.split(',') ?? []) {
    const [local = '', , as = local] = item.trim().split(/\s+/)
    if (as === name) return local
  }
  return undefined
}

/** Marks everything imported as free of side effects, so that what `config` does not use is never loaded. */
const withoutSideEffects: Plugin = {
  name: 'without-side-effects',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async (args) => {
      if (args.pluginData === 'asked' || args.kind === 'entry-point') return undefined
      const { path, kind, importer, resolveDir } = args
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: 'asked' })
      // What cannot be found matters only if it is used: then loading fails and names it.
      if (found.errors.length > 0) return { path, external: true, sideEffects: false }
      return { path: found.path, external: found.external, namespace: found.namespace, sideEffects: false }
    })
  },
}
