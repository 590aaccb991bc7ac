import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { addFolder, type ZipContents } from './bundle-zip.ts'

/** The part of a package.json that decides how a package travels. */
interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly gypfile?: boolean
  readonly os?: readonly string[]
}

/** An installed package. */
export interface InstalledPackage {
  readonly name: string
  /** Absolute. */
  readonly root: string
}

const BUILTINS: ReadonlySet<string> = new Set(builtinModules)

/** `@scope/name/file` → `@scope/name`; undefined for relative paths, Node's own modules and `#imports`. */
export function packageNameOf(specifier: string): string | undefined {
  if (/^[./#]/.test(specifier) || specifier.includes(':') || BUILTINS.has(specifier)) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  return BUILTINS.has(name) ? undefined : name
}

/** The installed package that a file belongs to; undefined for the project's own files. */
export function packageOfFile(path: string): InstalledPackage | undefined {
  const marker = `${sep}node_modules${sep}`
  const at = path.lastIndexOf(marker)
  if (at === -1) return undefined
  const name = packageNameOf(
    path
      .slice(at + marker.length)
      .split(sep)
      .join('/'),
  )
  return name === undefined ? undefined : { name, root: join(path.slice(0, at + marker.length), name) }
}

/** Where Node would find `name` from a file in `folder`. */
export function findPackage(name: string, folder: string): InstalledPackage | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const root = join(at, 'node_modules', name)
    if (existsSync(join(root, 'package.json'))) return { name, root }
    if (dirname(at) === at) return undefined
  }
}

/** Programs that are needed to install a native package and never to run it. */
const INSTALL_ONLY = new Set([
  'prebuild-install',
  'node-gyp',
  'node-addon-api',
  'node-api-headers',
  'nan',
  'cmake-js',
])
/** Packages whose presence among the dependencies means that a compiled file is looked up at run time. */
const NATIVE_LOADERS = [
  'bindings',
  'node-gyp-build',
  'node-gyp-build-optional-packages',
  '@mapbox/node-pre-gyp',
]
const FINDS_ITSELF = /\b__dirname\b|\b__filename\b|\bimport\.meta\.(?:url|dirname|filename)\b/

/**
 * Why a package cannot be folded into one file: it holds compiled code, or looks for files beside its own.
 * Undefined when it can. `files` are those of its files that a bundle would take.
 */
export function reasonToStayOutside(found: InstalledPackage, files: readonly string[]): string | undefined {
  const json = readPackageJson(found.root)
  if (json.gypfile === true || existsSync(join(found.root, 'binding.gyp')))
    return 'it is compiled when installed'
  if (NATIVE_LOADERS.some((name) => json.dependencies?.[name] !== undefined)) return 'it loads compiled code'
  for (const name of Object.keys(json.optionalDependencies ?? {})) {
    const optional = findPackage(name, found.root)
    if (optional !== undefined && readPackageJson(optional.root).os !== undefined)
      return 'it takes a package made for this platform'
  }
  if (holdsNativeFile(found.root, 0)) return 'it holds compiled code'
  const selfish = files.find((file) => FINDS_ITSELF.test(readFileSync(file, 'utf8')))
  return selfish === undefined ? undefined : 'it reads files beside its own'
}

const MAX_SEARCH_DEPTH = 4

function holdsNativeFile(folder: string, depth: number): boolean {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith('.node')) return true
    if (!entry.isDirectory() || entry.name === 'node_modules' || depth >= MAX_SEARCH_DEPTH) continue
    if (holdsNativeFile(join(folder, entry.name), depth + 1)) return true
  }
  return false
}

/** Needed to build or to read a package, not to run it. */
const NOT_NEEDED = /\.(?:d\.[cm]?ts|map|md|markdown|c|cc|cpp|cxx|h|hpp|o|a|gyp|gypi|tsbuildinfo)$/i

/**
 * Lays packages and everything they depend on out under `node_modules/` of a zip: what is added lies at the
 * top, what that depends on too where the name is free, else below the package that needs another version.
 * What is not installed is left out.
 */
export class PackageLayout {
  /** Where in the zip each package lies, and from where it is copied. */
  readonly #placed = new Map<string, string>()
  /** Placed, but their dependencies are not yet: the top belongs to what is added first. */
  readonly #waiting: { root: string; path: string }[] = []

  /** Adds what `name` means in `folder`, with its dependencies. False when it is not installed there. */
  add(name: string, folder: string): boolean {
    return this.#place(name, folder, '')
  }

  /** Names of everything laid out. */
  names(): Set<string> {
    this.#settle()
    return new Set(
      [...this.#placed.keys()].map((path) => path.slice(path.lastIndexOf(MODULES) + MODULES.length)),
    )
  }

  /** Reads every file of what was laid out. */
  copyInto(contents: ZipContents): void {
    this.#settle()
    for (const [path, root] of this.#placed)
      addFolder(contents, root, `${path}/`, (file) => file !== MODULES && !NOT_NEEDED.test(file))
  }

  #settle(): void {
    for (let one = this.#waiting.shift(); one !== undefined; one = this.#waiting.shift())
      for (const name of dependenciesOf(one.root)) this.#place(name, one.root, `${one.path}/`)
  }

  #place(name: string, folder: string, parent: string): boolean {
    const found = findPackage(name, folder)
    if (found === undefined) return false
    let path = `${MODULES}${name}`
    for (const base of basesOf(parent)) {
      const there = this.#placed.get(`${base}${MODULES}${name}`)
      if (there === found.root) return true
      if (there === undefined) continue
      path = `${parent}${MODULES}${name}`
      break
    }
    this.#placed.set(path, found.root)
    this.#waiting.push({ root: found.root, path })
    return true
  }
}

const MODULES = 'node_modules/'

/** Where Node looks from a package in a zip, nearest first: `node_modules/a/` → `node_modules/a/`, ``. */
function basesOf(parent: string): string[] {
  const bases: string[] = []
  for (let base = parent; base !== ''; base = base.slice(0, base.lastIndexOf(MODULES))) bases.push(base)
  return [...bases, '']
}

function dependenciesOf(root: string): string[] {
  const json = readPackageJson(root)
  const names = { ...json.dependencies, ...json.optionalDependencies, ...json.peerDependencies }
  return Object.keys(names)
    .filter((name) => !INSTALL_ONLY.has(name) && !name.startsWith('@types/'))
    .toSorted()
}

function readPackageJson(root: string): PackageJson {
  // npm checked it when installing
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageJson
}
