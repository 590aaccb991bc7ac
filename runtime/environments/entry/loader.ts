import fs from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readStreamingMark, type StreamingMark } from './aws-global.ts'
import { runtimeRequire, type CommonJsLoader } from './commonjs.ts'
import type { HandlerContract } from './contract.ts'
import { RuntimeError } from './errors.ts'

/** The function that answers invocations; its parameters depend on contract and style. */
export type HandlerFunction = ((...parameters: unknown[]) => unknown) & StreamingMark

/**
 * A handler that is ready to be called, as a method of this. Named as on AWS, because stacks show
 * `Runtime.handler`.
 */
export class Runtime {
  readonly handler: HandlerFunction
  readonly streaming: boolean
  /** Of the response stream, when the handler chose one. */
  readonly highWaterMark: number | undefined

  constructor(handler: HandlerFunction, streaming: boolean, highWaterMark: number | undefined) {
    this.handler = handler
    this.streaming = streaming
    this.highWaterMark = highWaterMark
  }
}

/** Where a handler string points: `folder/file.export.path`. */
export interface HandlerName {
  /** Without the last slash; '' for the task root. */
  folder: string
  /** Without extension. */
  file: string
  exportPath: string
}

const NO_CALLBACKS =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.'

/** Where the code lies and how it is loaded. */
export interface LoadOptions {
  taskRoot: string
  handler: string
  contract: HandlerContract
  commonJs: CommonJsLoader
}

/** Code that has been loaded. */
export interface LoadedCode {
  /** What its main file exports. */
  readonly exports: Readonly<Record<string, unknown>>
  /** The handler, or why there is none. */
  readonly handler: Runtime | RuntimeError
}

/** Loads the code and looks for the handler. Throws what AWS answers with when it cannot be loaded. */
export async function loadCode(options: LoadOptions): Promise<LoadedCode> {
  const { taskRoot, handler, contract, commonJs } = options
  const name = parseHandlerName(handler)
  const loaded = await loadModule(taskRoot, name, contract, commonJs)
  const exports = (typeof loaded === 'object' || typeof loaded === 'function' ? loaded : null) ?? {}
  try {
    return { exports: exports as LoadedCode['exports'], handler: findHandler(loaded, name, options) }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    return { exports: exports as LoadedCode['exports'], handler: error }
  }
}

/** Loads the code and finds the handler. Throws what AWS answers with when there is none. */
export async function loadHandler(options: LoadOptions): Promise<Runtime> {
  const { handler } = await loadCode(options)
  if (handler instanceof RuntimeError) throw handler
  return handler
}

function findHandler(loaded: unknown, name: HandlerName, { handler, contract }: LoadOptions): Runtime {
  const find = contract === 'promises' ? findThroughImport : findThroughRequire
  const found = find(loaded, name.exportPath)
  if (!found) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`)
  if (!isFunction(found)) throw new RuntimeError('HandlerNotFound', `${handler} is not a function`)
  const { mode, highWaterMark } = readStreamingMark(found)
  if (mode === 'unknown-mode')
    throw new RuntimeError('MalformedStreamingHandler', 'Only response streaming is supported.')
  if (contract === 'promises' && mode === 'buffered' && found.length >= 3)
    throw new RuntimeError('CallbackHandlerDeprecated', NO_CALLBACKS)
  return new Runtime(found, mode === 'streaming', highWaterMark)
}

/** Cuts a handler string: the file's name ends at the first dot behind the last slash. */
export function parseHandlerName(handler: string): HandlerName {
  if (handler.includes('..'))
    throw new RuntimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    )
  const last = basename(handler)
  const match = /^([^.]*)\.(.*)$/.exec(last)
  if (match === null) throw new RuntimeError('MalformedHandlerName', 'Bad handler')
  const [, file = '', exportPath = ''] = match
  return { folder: handler.slice(0, handler.indexOf(last)), file, exportPath }
}

async function loadModule(
  taskRoot: string,
  name: HandlerName,
  contract: HandlerContract,
  commonJs: CommonJsLoader,
): Promise<unknown> {
  try {
    const base = resolve(taskRoot, name.folder, name.file)
    const loaded = contract === 'promises' ? await loadForImport(base, commonJs) : await loadForRequire(base)
    if (loaded) return loaded
    const folder = contract === 'promises' ? join(taskRoot, name.folder) : name.folder
    return runtimeRequire(runtimeRequire.resolve(name.file, { paths: [taskRoot, folder] }))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new RuntimeError('UserCodeSyntaxError', String(error), error.stack)
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND')
      throw new RuntimeError('ImportModuleError', String(error))
    throw error
  }
}

/**
 * Up to nodejs22.x: `require` first, and a `.js` file is an ES module only where its package.json says so.
 */
async function loadForRequire(base: string): Promise<unknown> {
  if (fs.existsSync(base)) {
    const loaded: unknown = runtimeRequire(base)
    if (loaded) return loaded
  }
  const script = `${base}.js`
  if (fs.existsSync(script)) {
    const loaded = isModulePackage(dirname(script)) ? await importFile(script) : runtimeRequire(script)
    if (loaded) return loaded
  }
  if (fs.existsSync(`${base}.mjs`)) return importFile(`${base}.mjs`)
  return fs.existsSync(`${base}.cjs`) ? runtimeRequire(`${base}.cjs`) : undefined
}

/**
 * From nodejs24.x on everything is imported. A file that turns out to be CommonJS is required instead, which
 * gives the same exports without having Node.js parse it once more for their names, and lets the code cache
 * be used.
 */
async function loadForImport(base: string, commonJs: CommonJsLoader): Promise<unknown> {
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    const file = `${base}${extension}`
    if (!fs.existsSync(file)) continue
    const isFile = fs.statSync(file).isFile()
    const isModule = extension === '.mjs' || (extension !== '.cjs' && isModulePackage(dirname(file)))
    if (isFile && !isModule && commonJs.compiles(file)) return asNamespace(runtimeRequire(file))
    return importFile(file)
  }
  return undefined
}

const importFile = (file: string): Promise<unknown> => import(pathToFileURL(file).href)

/** What `import()` makes of a CommonJS module: its exports by name, and as `default` the whole. */
function asNamespace(exports: unknown): unknown {
  const named = typeof exports === 'object' || typeof exports === 'function' ? exports : {}
  return { ...named, default: exports }
}

/** Whether the nearest package.json says `"type": "module"`. */
function isModulePackage(folder: string): boolean {
  if (folder.endsWith('/node_modules')) return false
  const file = join(folder, 'package.json')
  if (fs.existsSync(file)) {
    try {
      const content: unknown = JSON.parse(fs.readFileSync(file, 'utf8'))
      if (content) return (content as { type?: unknown }).type === 'module'
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error)
      return false
    }
  }
  const parent = dirname(folder)
  return parent === folder ? false : isModulePackage(parent)
}

const isFunction = (value: unknown): value is HandlerFunction => typeof value === 'function'

/** Up to nodejs22.x: the path is walked through whatever has members; any value can be indexed. */
function findThroughRequire(loaded: unknown, exportPath: string): unknown {
  return exportPath
    .split('.')
    .reduce<unknown>((nested, key) => nested && (nested as Record<string, unknown>)[key], loaded)
}

/** From nodejs24.x on: only objects are walked, and `default` is tried when nothing is found. */
function findThroughImport(loaded: unknown, exportPath: string): unknown {
  const walk = (from: unknown): unknown =>
    exportPath
      .split('.')
      .reduce<unknown>(
        (nested, key) =>
          typeof nested === 'object' && nested !== null
            ? (nested as Record<string, unknown>)[key]
            : undefined,
        from,
      )
  const found = walk(loaded)
  if (found || typeof loaded !== 'object' || loaded === null || !('default' in loaded)) return found
  return walk(loaded.default)
}

/**
 * The CommonJS file that a handler string points at, for compiling it ahead; undefined when there is none.
 */
export function commonJsFileOf(taskRoot: string, handler: string): string | undefined {
  const { folder, file } = parseHandlerName(handler)
  const base = resolve(taskRoot, folder, file)
  return ['', '.js', '.cjs']
    .map((extension) => `${base}${extension}`)
    .find((path) => fs.existsSync(path) && fs.statSync(path).isFile() && extname(path) !== '.mjs')
}

/** Whether a handler string points at an ES module, as its name or its package.json says. */
export function isModuleHandler(taskRoot: string, handler: string): boolean {
  const { folder, file } = parseHandlerName(handler)
  const base = resolve(taskRoot, folder, file)
  if (fs.existsSync(`${base}.js`)) return isModulePackage(dirname(base))
  return fs.existsSync(`${base}.mjs`)
}
