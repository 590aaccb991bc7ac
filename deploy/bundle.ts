import { readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { BuildFailure } from 'esbuild'
import {
  buildFailure,
  buildOnce,
  BundleError,
  describe,
  type BundleOptions,
  type Built,
  type Format,
} from './bundle-build.ts'
import { packageNameOf, PackageLayout, packageOfFile, reasonToStayOutside } from './bundle-packages.ts'
import { addFolder, writeZip, type ZipContents } from './bundle-zip.ts'

/** A finished code package. */
export interface Bundle {
  readonly zip: Buffer
  /** Lambda's Handler: `index.handler`. */
  readonly handler: string
  /** For a person, one line each. */
  readonly warnings: readonly string[]
  /** Absolute paths of what it was made of: a change of one of them makes another package. */
  readonly inputs: readonly string[]
}

/**
 * Makes one file of `entry` (TypeScript or JavaScript, ESM or CommonJS) and what it imports: CommonJS, or an
 * ES module where the code awaits at its top level. Packages that cannot be folded in, compiled ones above
 * all, are copied into `node_modules` of the zip with their dependencies. The same sources give the same
 * bytes.
 */
export async function bundle(entry: string, options: BundleOptions = {}): Promise<Bundle> {
  const path = resolve(entry)
  const layout = new PackageLayout()
  const warnings: string[] = []
  const outside = new Set(options.external ?? [])
  const { result, format } = await buildSettled(path, outside, options)
  const folder = dirname(path)
  const inputs = Object.keys(result.metafile.inputs)
    .filter((input) => !input.includes(':'))
    .map((input) => resolve(folder, input))
  for (const { name, from } of outsideImports(result, folder, outside))
    if (!layout.add(name, from)) warnings.push(`${name} is not installed: it must come from a layer.`)
  warnings.push(...result.warnings.map(describe))

  const contents: ZipContents = new Map()
  layout.copyInto(contents)
  if (inputs.some(readsBesideItself)) addAssets(contents, folder, new Set(inputs))
  const extension = format === 'esm' ? '.mjs' : '.cjs'
  for (const file of result.outputFiles)
    contents.set(basename(file.path), { content: Buffer.from(file.contents), kind: 'file' })
  if (!contents.has(`index${extension}`)) throw new BundleError([`${entry}: esbuild wrote no output.`])
  return {
    zip: await writeZip(contents),
    handler: `index.${options.exportName ?? 'handler'}`,
    warnings: [...new Set(warnings)],
    inputs,
  }
}

const MAX_ROUNDS = 10

/**
 * Builds until every package that cannot be folded in is known. `outside` grows on the way, by their
 * dependencies too: one package must never be there twice, inside and outside.
 */
async function buildSettled(
  path: string,
  outside: Set<string>,
  options: BundleOptions,
): Promise<{ result: Built; format: Format }> {
  let format: Format = 'cjs'
  for (let round = 0; round < MAX_ROUNDS; round++) {
    options.signal?.throwIfAborted()
    try {
      const result = await buildOnce(path, outside, format, options)
      const found = packagesToKeepOutside(result, dirname(path))
      for (const name of required(result, dirname(path))) found.add(name)
      const known = outside.size
      for (const name of found) outside.add(name)
      if (outside.size === known) return { result, format }
    } catch (error) {
      const failure = buildFailure(error)
      if (format === 'cjs' && failure.errors.some((one) => one.text.includes('Top-level await')))
        format = 'esm'
      else if (!addFailing(failure, dirname(path), outside))
        throw new BundleError(failure.errors.map(describe))
    }
  }
  throw new BundleError([`${path}: its packages were not settled after ${MAX_ROUNDS} rounds.`])
}

/** Names of packages in a build that cannot be folded in, with their dependencies. */
function packagesToKeepOutside(result: Built, folder: string): Set<string> {
  const files = new Map<string, { root: string; name: string; files: string[] }>()
  for (const input of Object.keys(result.metafile.inputs)) {
    if (input.includes(':')) continue
    const path = resolve(folder, input)
    const found = packageOfFile(path)
    if (found === undefined) continue
    const known = files.get(found.root) ?? { ...found, files: [] }
    known.files.push(path)
    files.set(found.root, known)
  }
  const layout = new PackageLayout()
  for (const found of files.values())
    if (reasonToStayOutside(found, found.files) !== undefined) layout.add(found.name, dirname(found.root))
  return layout.names()
}

/**
 * A package whose own files stop the build is kept outside instead. False when the errors are the project's
 * own.
 */
function addFailing(failure: BuildFailure, folder: string, outside: Set<string>): boolean {
  const known = outside.size
  for (const { location } of failure.errors) {
    const found = location === null ? undefined : packageOfFile(resolve(folder, location.file))
    if (found !== undefined) outside.add(found.name)
  }
  return outside.size > known
}

interface OutsideImport {
  readonly name: string
  /** The folder it is imported from, which decides the version. */
  readonly from: string
}

function* outsideImports(
  result: Built,
  folder: string,
  outside: ReadonlySet<string>,
): Generator<OutsideImport> {
  const seen = new Set<string>()
  // Inputs list what was only a type, too; outputs do not, but cannot say which file asked.
  const left = new Set(Object.values(result.metafile.outputs).flatMap(({ imports }) => imports.map(pathOf)))
  for (const [input, { imports }] of Object.entries(result.metafile.inputs))
    for (const one of imports) {
      const isLeft = one.external === true && left.has(one.path)
      const name = isLeft ? packageNameOf(one.path) : undefined
      if (name === undefined || seen.has(name)) continue
      seen.add(name)
      yield { name, from: dirname(resolve(folder, input)) }
    }
  // What is required at run time only, or was asked for by name, is in no import.
  for (const name of outside) if (!seen.has(name)) yield { name, from: folder }
}

const pathOf = ({ path }: { readonly path: string }): string => path

/** Packages that the project's own code loads with a `require` it made itself, which no bundler follows. */
function required(result: Built, folder: string): string[] {
  const names: string[] = []
  for (const input of Object.keys(result.metafile.inputs)) {
    const path = resolve(folder, input)
    if (input.includes(':') || packageOfFile(path) !== undefined) continue
    const source = readFileSync(path, 'utf8')
    for (const made of source.matchAll(/\b(?:const|let|var)\s+([\w$]+)\s*=\s*createRequire\(/g))
      for (const call of source.matchAll(new RegExp(`\\b${made[1]}\\(\\s*['"]([^'"]+)['"]\\s*\\)`, 'g'))) {
        const name = packageNameOf(call[1] ?? '')
        if (name !== undefined) names.push(name)
      }
  }
  return names
}

const OWN_SOURCE = /\.(?:[cm]?[jt]s|[jt]sx)$/
const LOOKS_AROUND = /\b__dirname\b|\bimport\.meta\.(?:url|dirname|filename)\b/

const readsBesideItself = (path: string): boolean =>
  packageOfFile(path) === undefined && OWN_SOURCE.test(path) && LOOKS_AROUND.test(readFileSync(path, 'utf8'))

/** What lies in a function's folder for people and tools, not for the function. */
const NOT_ASSETS =
  /^(?:\.|node_modules\/|package(?:-lock)?\.json$|tsconfig.*\.json$|README|example\.json$)|\.test\./i

/** The function's own files beside its sources, for code that looks for them by its own place. */
function addAssets(contents: ZipContents, folder: string, inputs: ReadonlySet<string>): void {
  addFolder(contents, folder, '', (file) => {
    if (NOT_ASSETS.test(file) || /(?:^|\/)node_modules\/$/.test(file)) return false
    return file.endsWith('/') || (!/\.[cm]?tsx?$/.test(file) && !inputs.has(join(folder, file)))
  })
}
