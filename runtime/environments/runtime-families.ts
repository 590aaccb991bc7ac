import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FunctionVersion } from '../registry/types.ts'
import type { ExtensionSettings, RuntimeProcessSettings } from './frames.ts'
import type { LaunchedProcess } from './launcher.ts'

/** What language a runtime identifier is for; `provided` brings its own runtime. */
export type RuntimeFamily = 'nodejs' | 'python' | 'java' | 'dotnet' | 'ruby' | 'provided'

/** `python` for `python3.12`. */
export const familyOf = (runtime: string): RuntimeFamily =>
  (/^[a-z]+/.exec(runtime)?.[0] ?? 'provided') as RuntimeFamily // the registry takes no other identifiers

/** A program that the start of a managed runtime leads through. */
const WRAPPER = 'AWS_LAMBDA_EXEC_WRAPPER'

/** Whether a version's code runs in a process of its own, which is served the Runtime API. */
export const needsBridge = (version: FunctionVersion): boolean =>
  familyOf(version.runtime) !== 'nodejs' ||
  (version.environment[WRAPPER] ?? '') !== '' ||
  hasExtensions(version)

const EXTENSIONS = 'extensions'
const versionsWithExtensions = new WeakMap<FunctionVersion, boolean>()

/** Whether a layer brings programs that run beside the function. */
function hasExtensions(version: FunctionVersion): boolean {
  const known = versionsWithExtensions.get(version)
  if (known !== undefined) return known
  const found = version.layerDirectories.some((directory) => existsSync(join(directory, EXTENSIONS)))
  versionsWithExtensions.set(version, found)
  return found
}

/** What an environment of this version is told about its extensions. */
export const extensionSettings = (
  version: FunctionVersion,
  process: Pick<LaunchedProcess, 'optRoot' | 'sandboxAddress'>,
): ExtensionSettings => ({
  directory: hasExtensions(version) ? join(process.optRoot, EXTENSIONS) : null,
  address: process.sandboxAddress,
  account: version.scope.account,
})

/**
 * What to start for a version that needs a bridge; undefined for others. `place` is where code and layers
 * lie, as the process sees them; `interpreter` the program of a language that has one.
 */
export function runtimeProcess(
  version: FunctionVersion,
  { taskRoot, optRoot }: Pick<LaunchedProcess, 'taskRoot' | 'optRoot'>,
  interpreter: string,
): RuntimeProcessSettings | undefined {
  if (!needsBridge(version)) return undefined
  const family = familyOf(version.runtime)
  const wrapper = family === 'provided' ? '' : shownUnder(optRoot, version.environment[WRAPPER] ?? '')
  if (family === 'nodejs') return { kind: 'node', command: heapArguments(version.memoryLimitMb), wrapper }
  if (family === 'python') return { kind: 'python', command: [interpreter], wrapper }
  // in the order of the search
  const bootstraps = [`${taskRoot}/bootstrap`, `${optRoot}/bootstrap`, '/var/runtime/bootstrap']
  return { kind: 'bootstrap', command: bootstraps, wrapper }
}

/** Where a path in a layer really is: functions name it by its place on AWS. */
const shownUnder = (optRoot: string, path: string): string =>
  path.startsWith('/opt/') ? optRoot + path.slice('/opt'.length) : path

/** Arguments that keep the heap of Node.js within a function's memory. */
export const heapArguments = (limitMb: number | null): string[] =>
  limitMb === null ? [] : [`--max-old-space-size=${Math.max(32, Math.floor(limitMb * 0.9))}`]
