import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { buildFailure, describe } from './bundle-build.ts'
import { sdkPlugin } from './bundle-sdk.ts'
import type { GroupSource } from './group-deploy.ts'
import { parsePattern, shapeOf } from '../runtime/registry/route-pattern.ts'
import { readConfigExport } from './config-export.ts'
import { ownWireRoute, wireRoute, type WireRoute } from './config-routes.ts'
import {
  checkFunction,
  checkProject,
  isFunctionName,
  type CheckedFunction,
  type CheckedProject,
  type ConfigFindings,
} from './config-schema.ts'

/** A function as it lies on disk, with its checked configuration. */
export interface FunctionSource {
  readonly name: string
  /** Absolute: a source file, or a zip that is deployed as it is. */
  readonly entry: string
  readonly config: CheckedFunction
}

/** The routes that one place declares; they are replaced together. */
export interface RouteSource {
  /** `project:NAME` or `function:NAME`. */
  readonly source: string
  /** For a person: the file. */
  readonly place: string
  readonly routes: readonly WireRoute[]
}

/** Everything that was found under some paths. */
export interface Project {
  readonly functions: readonly FunctionSource[]
  /** Also those that declare none, because they may have done so before. */
  readonly routeSources: readonly RouteSource[]
  readonly groups: readonly GroupSource[]
  /** For a person, one line each. */
  readonly warnings: readonly string[]
  /** Absolute paths that say which functions there are: watch them beside the functions' own sources. */
  readonly configFiles: readonly string[]
}

/** Thrown with every problem of every file at once. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

const ENTRY_NAMES = ['index.ts', 'index.mts', 'index.cts', 'index.js', 'index.mjs', 'index.cjs']
const CONFIG_NAMES = ['lambent.config.ts', 'lambent.config.mts', 'lambent.config.js', 'lambent.config.mjs']

/**
 * The functions under `paths`: a function folder, a folder of function folders, a project with a
 * `lambent.config.ts` or a `functions` folder, a source file or a zip. Rejects with a ProjectError.
 */
export async function loadProject(paths: readonly string[]): Promise<Project> {
  const search = new Search()
  for (const path of paths) await search.visit(resolve(path))
  return search.finish()
}

class Search {
  readonly #findings: ConfigFindings = { problems: [], warnings: [] }
  readonly #functions: FunctionSource[] = []
  readonly #routeSources: RouteSource[] = []
  readonly #groups: GroupSource[] = []
  readonly #configFiles: string[] = []

  async visit(path: string): Promise<void> {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) this.#problem(path, 'there is no such file or folder')
    else if (stat.isDirectory()) await this.#visitFolder(path)
    else if (CONFIG_NAMES.includes(basename(path))) await this.#addProject(path)
    else if (extname(path) === '.zip') this.#add({ name: basename(path, '.zip'), entry: path, config: {} })
    else if (/^\.[cm]?[jt]s$/.test(extname(path))) await this.#addFile(path)
    else this.#problem(path, 'this is neither a source file, a zip nor a folder')
  }

  finish(): Project {
    const seen = new Map<string, FunctionSource>()
    for (const one of this.#functions) {
      const other = seen.get(one.name)
      if (other === undefined) seen.set(one.name, one)
      else if (other.entry !== one.entry)
        this.#problem(one.entry, `the function "${one.name}" is defined in ${shown(other.entry)} too`)
    }
    const functions = [...seen.values()]
    const routeSources = [...this.#routeSources, ...functions.map(ownRoutes)]
    this.#findings.problems.push(...routesTwice(routeSources))
    if (this.#findings.problems.length > 0) throw new ProjectError(this.#findings.problems)
    return {
      functions,
      routeSources,
      groups: this.#groups,
      warnings: this.#findings.warnings,
      configFiles: this.#configFiles,
    }
  }

  async #visitFolder(folder: string): Promise<void> {
    const config = firstIn(folder, CONFIG_NAMES)
    const entry = firstIn(folder, ENTRY_NAMES)
    const functions = join(folder, 'functions')
    if (config !== undefined) await this.#addProject(config)
    else if (entry !== undefined) return await this.#addFile(entry)
    else this.#routeSources.push({ source: projectSource(folder), place: shown(folder), routes: [] })
    const found =
      (await this.#visitChildren(folder)) + (isFolder(functions) ? await this.#visitChildren(functions) : 0)
    if (config === undefined && found === 0)
      this.#problem(folder, `no function here: a function is a folder with ${ENTRY_NAMES.join(', ')}`)
  }

  async #visitChildren(folder: string): Promise<number> {
    let found = 0
    for (const child of readdirSync(folder).toSorted()) {
      const path = join(folder, child)
      if (child.startsWith('.') || child === 'node_modules' || !isFolder(path)) continue
      const entry = firstIn(path, ENTRY_NAMES)
      if (entry === undefined) continue
      found++
      await this.#addFile(entry)
    }
    return found
  }

  /** A function of a file of its own: named after its folder when it is an index file, else after itself. */
  async #addFile(entry: string): Promise<void> {
    const stem = basename(entry, extname(entry))
    const fallback = stem === 'index' ? basename(dirname(entry)) : stem
    const config = await this.#ownConfig(entry)
    if (config !== undefined) this.#add({ name: config.name ?? fallback, entry, config })
  }

  /** What a source file says of itself; undefined when that has problems. */
  async #ownConfig(entry: string): Promise<CheckedFunction | undefined> {
    if (extname(entry) === '.zip') return {}
    try {
      return this.#checkExport((await readConfigExport(entry)) ?? {}, entry)
    } catch (error) {
      this.#failed(entry, error)
      return undefined
    }
  }

  /** Plain Lambda code may export a `config` of its own that has nothing to do with Lambent. */
  #checkExport(exported: unknown, entry: string): CheckedFunction | undefined {
    const place = `${shown(entry)}: config`
    const own: ConfigFindings = { problems: [], warnings: [] }
    const config = checkFunction(exported, place, own)
    const isPlain = /\.[cm]?js$/.test(entry) && !readFileSync(entry, 'utf8').includes('lambent')
    if (config === undefined && isPlain) {
      this.#findings.warnings.push(
        `${place}: ignored, because it is not Lambent's: ${own.problems.join('; ')}`,
      )
      return {}
    }
    this.#findings.problems.push(...own.problems)
    this.#findings.warnings.push(...own.warnings)
    return config
  }

  async #addProject(path: string): Promise<void> {
    this.#configFiles.push(path)
    let exported: unknown
    try {
      exported = await importConfig(path)
    } catch (error) {
      this.#failed(path, error)
      return
    }
    const project = checkProject(exported, shown(path), this.#findings)
    this.#addRoutes(path, project)
    for (const [name, wish] of Object.entries(project?.placementGroups ?? {}))
      this.#groups.push({ name, place: shown(path), wish })
    for (const [key, { entry, ...config }] of Object.entries(project?.functions ?? {})) {
      const file = resolve(dirname(path), entry)
      const found = isFolder(file) ? firstIn(file, ENTRY_NAMES) : existsSync(file) ? file : undefined
      if (found === undefined) {
        this.#problem(path, `functions.${key}.entry: there is no ${shown(file)}`)
        continue
      }
      const own = await this.#ownConfig(found)
      // The project has the last word, also on the name: one file may be several functions.
      if (own !== undefined)
        this.#add({ name: config.name ?? key, entry: found, config: { ...own, ...config } })
    }
  }

  #addRoutes(path: string, project: CheckedProject | undefined): void {
    const names = new Map(
      Object.entries(project?.functions ?? {}).map(([key, { name = key }]) => [key, name]),
    )
    // A function may be called by its place in the file or by its name.
    const renamed = (reference: string): string => {
      const [key = '', ...qualifier] = reference.split(':')
      return [names.get(key) ?? key, ...qualifier].join(':')
    }
    const routes = Object.entries(project?.routes ?? {}).map(([key, given]) => {
      const { authorizer, ...route } = wireRoute(key, given)
      const guard = isGuard(authorizer)
        ? { ...authorizer, function: renamed(authorizer.function) }
        : authorizer
      const settings = guard === undefined ? route : { ...route, authorizer: guard }
      return { ...settings, route: key, function: renamed(route.function) }
    })
    this.#routeSources.push({ source: projectSource(dirname(path)), place: shown(path), routes })
  }

  #add(source: FunctionSource): void {
    if (isFunctionName(source.name)) this.#functions.push(source)
    else
      this.#problem(
        source.entry,
        `"${source.name}" is no name for a function: 1 to 64 letters, digits, - and _`,
      )
  }

  #failed(path: string, error: unknown): void {
    const folder = dirname(path)
    const { errors } = errorsOf(error)
    for (const text of errors) {
      const shortened = text.replaceAll(`${folder}/`, '')
      const place = `${basename(path)}:`
      // Said once, with line and column, an editor's terminal can be clicked on it.
      if (shortened.startsWith(place))
        this.#findings.problems.push(`${shown(path)}:${shortened.slice(place.length)}`)
      else this.#problem(path, shortened)
    }
  }

  #problem(path: string, text: string): void {
    this.#findings.problems.push(`${shown(path)}: ${text}`)
  }
}

/** What a function's own configuration routes to it. */
const ownRoutes = ({ name, entry, config }: FunctionSource): RouteSource => ({
  source: `function:${name}`,
  place: shown(entry),
  routes: (config.routes ?? []).map((given) => ownWireRoute(given, name)),
})

const isGuard = (authorizer: unknown): authorizer is { function: string } =>
  typeof authorizer === 'object' && authorizer !== null && 'function' in authorizer

/**
 * A project is known by its package's name, else by where it lies: two folders of the same name must not take
 * each other's routes away.
 */
function projectSource(folder: string): string {
  let name: unknown
  try {
    // whatever it is, its name is checked
    name = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown } | null)?.name
  } catch {
    // most folders have none
  }
  return `project:${typeof name === 'string' && name !== '' ? name : resolve(folder)}`
}

/** A problem for every route that is declared twice. */
function routesTwice(sources: readonly RouteSource[]): string[] {
  const seen = new Map<string, { key: string; place: string }>()
  return sources.flatMap(({ place, routes }) =>
    routes.flatMap(({ route: key }) => {
      const pattern = parsePattern(key)
      if (typeof pattern === 'string') return [] // told already
      const shape = shapeOf(pattern)
      const other = seen.get(shape)
      seen.set(shape, { key, place })
      if (other === undefined) return []
      return [`${place}: routes: "${key}" matches the same requests as "${other.key}" in ${other.place}`]
    }),
  )
}

function errorsOf(error: unknown): { errors: string[] } {
  if (!(error instanceof Error)) return { errors: [String(error)] }
  if ('errors' in error) return { errors: buildFailure(error).errors.map(describe) }
  return { errors: [`evaluating the configuration failed: ${error.message}`] }
}

/** The default export of a config file, which is run as it is. */
async function importConfig(path: string): Promise<unknown> {
  const temporary = join(dirname(path), `.lambent-config-${randomBytes(6).toString('hex')}.mjs`)
  try {
    await build({
      entryPoints: [path],
      absWorkingDir: dirname(path),
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      target: 'node20',
      logLevel: 'silent',
      outfile: temporary,
      plugins: [sdkPlugin],
    })
    const module = (await import(pathToFileURL(temporary).href)) as { default?: unknown } // any module is
    return module.default
  } finally {
    rmSync(temporary, { force: true })
  }
}

const firstIn = (folder: string, names: readonly string[]): string | undefined =>
  names.map((name) => join(folder, name)).find((path) => existsSync(path))

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** A path as a person would write it. */
const shown = (path: string): string => {
  const near = relative(process.cwd(), path)
  return near === '' || near.startsWith('..') ? path : near
}
