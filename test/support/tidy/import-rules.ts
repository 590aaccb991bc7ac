import { dirname, join } from 'node:path/posix'
import { lineAt, type Finding, type SourceFile } from './source.ts'

/** One import or re-export of a file. */
interface Import {
  readonly specifier: string
  readonly line: number
  readonly reexport: boolean
  readonly typeOnly: boolean
}

/** Folders of `runtime/` in their one order; an import points left or stays in its folder. */
const RUNTIME_ORDER: readonly (readonly string[])[] = [
  ['errors', 'resources', 'wish', 'clock', 'rng', 'log', 'config', 'entries', 'feed', 'version'],
  ['sdk', 'store'],
  ['registry', 'objects', 'keys'],
  ['environments'],
  ['scheduler'],
  ['invoke'],
  ['actors', 'jobs'],
  ['views'],
  ['work-views'],
  ['computing', 'upkeep'],
  ['index'],
]

const MAY_IMPORT: Readonly<Record<string, (target: string) => boolean>> = {
  runtime: (target) => target.startsWith('runtime/'),
  adapters: (target) =>
    target.startsWith('runtime/') || (target.startsWith('adapters/') && target !== 'adapters/main.ts'),
  deploy: (target) => /^(runtime|deploy)\//.test(target) || target === 'adapters/main.ts',
  functions: () => false,
  test: (target) => target !== 'deploy/cli.ts',
}

/** All imports, exports from elsewhere and dynamic imports with a literal. */
export function importsOf(file: SourceFile): Import[] {
  const statements = /\b(import|export)\b(?:[^'"`;]*?\bfrom)?\s*\(?\s*(['"])(\s*)\2/g
  return [...file.code.matchAll(statements)].map((match) => {
    const end = match.index + match[0].length - 1
    const specifier = file.text.slice(end - (match[3] ?? '').length, end)
    const line = lineAt(file.code, match.index)
    return { specifier, line, reexport: match[1] === 'export', typeOnly: /^\w+\s+type\b/.test(match[0]) }
  })
}

/** The repository path that a relative specifier means; undefined for packages. */
const targetOf = (path: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? join(dirname(path), specifier) : undefined

/** Imports follow the order of the folders and never go back. */
export function importDirection(file: SourceFile): Finding[] {
  return importsOf(file).flatMap(({ specifier, line }) => {
    const target = targetOf(file.path, specifier)
    if (target === undefined) return []
    const reason = refusal(file.path, target)
    return reason === undefined ? [] : [{ path: file.path, line, message: `imports ${target}: ${reason}` }]
  })
}

function refusal(path: string, target: string): string | undefined {
  const [top = ''] = path.split('/')
  const allowed = MAY_IMPORT[top]
  if (allowed === undefined) return undefined
  if (top === 'functions') {
    const [, name = ''] = path.split('/')
    return target.startsWith(`functions/${name}/`)
      ? undefined
      : 'a function imports only `lambent` and its own'
  }
  if (!allowed(target)) return `${top}/ may not import it`
  if (top !== 'runtime') return undefined
  const [from, to] = [folderOf(path), folderOf(target)]
  if (from === to) return undefined
  const [fromRank, toRank] = [rankOf(from), rankOf(to)]
  if (fromRank === -1) return `${from} has no place in the order of runtime/`
  if (toRank === -1) return `${to} has no place in the order of runtime/`
  const isLeaf = fromRank === 0 && toRank === 0
  return toRank < fromRank || isLeaf ? undefined : `inside runtime/, ${from} comes before ${to}`
}

const folderOf = (path: string): string => (path.split('/')[1] ?? '').replace(/\.ts$/, '')
const rankOf = (folder: string): number => RUNTIME_ORDER.findIndex((names) => names.includes(folder))

/** Only `doctor` loads SQLite outside the store: to see whether it can be loaded. Its types may be named. */
export function packageImports(file: SourceFile): Finding[] {
  if (!/^(runtime\/(?!store\/)|adapters\/|deploy\/(?!commands\/doctor))/.test(file.path)) return []
  return importsOf(file)
    .filter(({ specifier, typeOnly }) => /^(better-sqlite3|node:sqlite)$/.test(specifier) && !typeOnly)
    .map(({ specifier, line }) => {
      return { path: file.path, line, message: `imports ${specifier}: SQL lives in runtime/store/` }
    })
}

/** `index.ts` and re-exports exist at boundaries only. */
export function noBarrels(file: SourceFile): Finding[] {
  const boundary = /^(runtime\/index|runtime\/sdk\/(index|client)|functions\/[^/]+\/index)\.ts$/.test(
    file.path,
  )
  if (boundary) return []
  const named = file.path.endsWith('/index.ts')
    ? [{ path: file.path, line: 1, message: 'index.ts exists at a boundary only' }]
    : []
  const reexports = importsOf(file)
    .filter((entry) => entry.reexport)
    .map(({ line }) => ({ path: file.path, line, message: 're-exports exist at a boundary only' }))
  return [...named, ...reexports]
}

/** No file imports itself over others, types included: Tarjan's strongly connected components. */
export function importCycles(files: readonly SourceFile[]): Finding[] {
  const known = new Set(files.map((file) => file.path))
  const edges = new Map<string, string[]>()
  for (const file of files) {
    const targets = importsOf(file).map(({ specifier }) => targetOf(file.path, specifier))
    edges.set(
      file.path,
      targets.filter((target) => target !== undefined && known.has(target)).map((target) => target ?? ''),
    )
  }
  return components(edges)
    .filter((members) => members.length > 1 || edges.get(members[0] ?? '')?.includes(members[0] ?? ''))
    .map((members) => ({
      path: members[0] ?? '',
      line: 1,
      message: `is in an import cycle: ${members.join(', ')}`,
    }))
}

function components(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (node: string): number => {
    const index = order.size
    order.set(node, index)
    low.set(node, index)
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      const reached = order.has(next)
        ? stack.includes(next)
          ? (order.get(next) ?? 0)
          : Infinity
        : visit(next)
      low.set(node, Math.min(low.get(node) ?? 0, reached))
    }
    const lowest = low.get(node) ?? 0
    if (lowest === index) found.push(stack.splice(stack.indexOf(node)).toSorted())
    return lowest
  }
  for (const node of edges.keys()) if (!order.has(node)) visit(node)
  return found
}
