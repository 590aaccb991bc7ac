import fs from 'node:fs'
import Module from 'node:module'
import { sep } from 'node:path'
import vm from 'node:vm'
import { packCodeCache, type CodeCache } from './code-cache.ts'

/** The parts of Node's CommonJS loader that its types leave out; they are how every such hook works. */
interface ModuleInternals {
  prototype: { _compile(this: LoadedModule, content: string, filename: string, format?: unknown): unknown }
  wrapper: [string, string]
  wrap(source: string): string
  globalPaths: string[]
  _initPaths(): void
  _cache: NodeJS.Dict<NodeModule>
  _extensions: NodeJS.RequireExtensions
  _resolveFilename(request: string, parent: LoadedModule, isMain: boolean, options?: unknown): string
  _resolveLookupPaths(request: string, parent: LoadedModule): string[] | null
}

interface LoadedModule {
  exports: unknown
  require(id: string): unknown
}

type Wrapped = (
  this: unknown,
  exports: unknown,
  require: unknown,
  module: LoadedModule,
  filename: string,
  folder: string,
) => unknown

const internals = Module as unknown as ModuleInternals // see ModuleInternals

/** The wrapper stands before the first line; its columns must not count in stacks. */
const WRAPPER_COLUMNS = internals.wrapper[0].length

/**
 * Compiles the CommonJS files of a package itself, so that a code cache can be used and made. What it cannot
 * compile (ES modules in disguise, syntax errors, files elsewhere) goes Node's own way.
 */
export class CommonJsLoader {
  readonly #taskRoot: string
  readonly #shownRoot: string
  readonly #cache: CodeCache | undefined
  readonly #scripts = new Map<string, vm.Script>()
  /** Compiled ahead of being required, with the source they were compiled from. */
  readonly #ahead = new Map<string, { content: string; script: vm.Script }>()

  /** `shownRoot` is where the files seem to lie, for a cache that is made away from where it will be used. */
  constructor(taskRoot: string, cache: CodeCache | undefined, shownRoot = taskRoot) {
    this.#taskRoot = taskRoot
    this.#shownRoot = shownRoot
    this.#cache = cache
  }

  /** Takes the place of Node's own compile step. */
  install(): void {
    const original = internals.prototype._compile
    const scriptOf = (content: string, filename: string, format: unknown): vm.Script | undefined => {
      // Node 20 passes true for "load as an ES module", later ones the name of the format.
      const commonJs = format === undefined || format === false || format === 'commonjs'
      return commonJs && this.#owns(filename) ? this.#scriptOf(content, filename) : undefined
    }
    internals.prototype._compile = function compile(content, filename, format) {
      const script = scriptOf(content, filename, format)
      if (script === undefined) return Reflect.apply(original, this, [content, filename, format])
      const run = script.runInThisContext() as Wrapped // what Module.wrap evaluates to
      const folder = filename.slice(0, filename.lastIndexOf(sep))
      return Reflect.apply(run, this.exports, [this.exports, requireFor(this), this, filename, folder])
    }
  }

  /** Whether a file is CommonJS that compiles; it is compiled once, here. */
  compiles(filename: string): boolean {
    if (!this.#owns(filename)) return false
    const content = fs.readFileSync(filename, 'utf8').replace(/^\uFEFF/, '')
    const script = this.#compile(content, filename)
    if (script !== undefined) this.#ahead.set(filename, { content, script })
    return script !== undefined
  }

  /** The code cache of everything loaded so far; empty when there is nothing. */
  pack(): Buffer {
    const files = [...this.#scripts].map(([path, script]) => ({
      path,
      createCachedData: () => script.createCachedData(),
    }))
    return packCodeCache(this.#taskRoot, files, this.#shownRoot)
  }

  #owns(filename: string): boolean {
    return filename.startsWith(`${this.#taskRoot}${sep}`)
  }

  #scriptOf(content: string, filename: string): vm.Script | undefined {
    const ahead = this.#ahead.get(filename)
    this.#ahead.delete(filename)
    return ahead?.content === content ? ahead.script : this.#compile(content, filename)
  }

  #compile(content: string, filename: string): vm.Script | undefined {
    const isCacheable = CACHE_KEEPS_IMPORT || !mayImport(content)
    const cachedData = isCacheable ? this.#cache?.lookup(filename, content) : undefined
    try {
      const script = new vm.Script(internals.wrap(content), {
        filename: this.#shownRoot + filename.slice(this.#taskRoot.length),
        columnOffset: -WRAPPER_COLUMNS,
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
        ...(cachedData === undefined ? {} : { cachedData }),
      })
      if (cachedData !== undefined) this.#cache?.report(script.cachedDataRejected === true)
      if (isCacheable) this.#scripts.set(filename, script)
      return script
    } catch {
      // Node's own compile step says what is wrong, or loads it as an ES module.
      return undefined
    }
  }
}

/** Before Node.js 22, code from a code cache has lost what its `import()` needs, and fails there. */
const CACHE_KEEPS_IMPORT = Number(process.versions.node.split('.')[0]) >= 22

/** Quick, and right for all but comments and strings, which then only cost a cache. */
const mayImport = (source: string): boolean =>
  source.includes('import(') || source.includes('import (') || source.includes('import/*')

/** The `require` that a module gets from Node.js, made of its documented parts. */
function requireFor(module: LoadedModule): NodeJS.Require {
  const require = (id: string): unknown => module.require(id)
  const resolve = (request: string, options?: unknown): string =>
    internals._resolveFilename(request, module, false, options)
  resolve.paths = (request: string) => internals._resolveLookupPaths(request, module)
  return Object.assign(require, {
    resolve,
    // On AWS nothing is the main module either: its runtime client is an ES module.
    main: undefined,
    extensions: internals._extensions,
    cache: internals._cache,
  }) as NodeJS.Require // `main` may be undefined in ES module programs
}

/** Makes NODE_PATH, as it is in the environment now, hold for every later `require`. */
export function readNodePath(): void {
  internals._initPaths()
}

/**
 * Looks a module up as AWS's runtime client does: from its own place, which names itself in error messages.
 */
export const runtimeRequire: NodeJS.Require = Module.createRequire('/var/runtime/index.mjs')
