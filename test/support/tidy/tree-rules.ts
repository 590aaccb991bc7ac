import { findAll, type Finding, type SourceFile } from './source.ts'

const FREE_NAMES = /^(README|ARCHITECTURE|CHANGELOG|NOTICE|LICENSE)(\.md)?$|^Dockerfile$|^\./

/** Files and folders are kebab-case. */
export function kebabCase(file: SourceFile): Finding[] {
  const odd = file.path
    .split('/')
    .filter((part) => !FREE_NAMES.test(part))
    .find((part) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/.test(part))
  return odd === undefined ? [] : [{ path: file.path, line: 1, message: `"${odd}" is not kebab-case` }]
}

/** Dependencies are pinned: what is tested is what is installed. */
export function pinnedDependencies(file: SourceFile): Finding[] {
  if (!/(^|\/)package\.json$/.test(file.path)) return []
  // A package.json is an object of objects where it names dependencies; anything else fails below.
  const manifest = JSON.parse(file.text) as Record<string, Record<string, string> | undefined>
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'] as const
  return groups.flatMap((group) =>
    Object.entries(manifest[group] ?? {})
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        path: file.path,
        line: 1,
        message: `${group}: ${name} is "${version}", not one version`,
      })),
  )
}

/**
 * Hosts that files may name, with all below them: our own listeners, names for examples, what AWS's formats
 * contain, and documentation.
 */
const KNOWN_HOSTS = `
  localhost 0.0.0.0 127.0.0.1 ::1 test invalid evil
  example example.co example.com example.org example.net
  amazonaws.com amazon.com aws.dev on.aws sandbox.localdomain
  github.com nodejs.org sqlite.org apache.org w3.org rfc-editor.org ray.io man7.org js.org
  json-schema.org json.schemastore.org openapis.org spdx.org perfetto.dev
`
  .trim()
  .split(/\s+/)

const isKnown = (host: string): boolean =>
  KNOWN_HOSTS.some((known) => host === known || host.endsWith(`.${known}`)) || !/[.:]/.test(host)

/** Nothing committed leads to one person's machine or to a host that a stranger cannot know. */
export function noForeignPlaces(file: SourceFile): Finding[] {
  if (file.path === 'LICENSE') return []
  const places = new RegExp(`(?<![\\w.])/(${['work/', 'root/', 'home/\\w+/', 'Users/\\w+/'].join('|')})`, 'g')
  const found = findAll(file, file.text, places, 'a path of one machine')
  if (/(^|\/)package-lock\.json$/.test(file.path)) {
    const resolved = /"resolved":\s*"(?!functions\/|node_modules\/)/g
    return [...found, ...findAll(file, file.text, resolved, 'resolved from one place: packages go by name')]
  }
  const strangers = [...file.text.matchAll(/https?:\/\/(?:[^\s/@'"`]+@)?(\[[^\]]+\]|[\w.-]+)/g)]
    .filter((match) => !isKnown((match[1] ?? '').replaceAll(/^\[|\]$|\.$/g, '')))
    .map((match) => ({
      path: file.path,
      line: file.text.slice(0, match.index).split('\n').length,
      message: `names the host ${match[1]}`,
    }))
  return [...found, ...strangers]
}
