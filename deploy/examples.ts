import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What a curl line needs to know of a deployed function. */
export interface ExampleFunction {
  readonly name: string
  /** Lambda's FunctionUrl; undefined when it has none. */
  readonly url: string | undefined
  /** The function's entry file; an `example.json` beside it says what to send. */
  readonly entry: string
}

/** An `example.json`; every member may be absent. */
interface Example {
  readonly path?: string
  readonly query?: string
  readonly body?: unknown
  readonly stream?: boolean
}

/** A curl line for each function that has a URL, in the order given. */
export function curlLines(functions: readonly ExampleFunction[]): string[] {
  return functions.flatMap(({ url, entry }) =>
    url === undefined ? [] : [curlLine(pathForm(url), readExample(entry))],
  )
}

/**
 * `http://<id>.lambda-url.<region>.localhost:4701/` as `http://127.0.0.1:4701/lambda-url/<id>/`, which
 * every resolver knows.
 */
export function pathForm(functionUrl: string): string {
  const url = new URL(functionUrl)
  const match = /^([a-z0-9]+)\.lambda-url\.[a-z0-9-]+\.(.+)$/.exec(url.hostname)
  if (match === null) return functionUrl
  const [, id, base] = match
  url.hostname = base === 'localhost' ? '127.0.0.1' : String(base)
  url.pathname = `/lambda-url/${id}/`
  return url.href
}

function curlLine(url: string, { path = '', query, body, stream = false }: Example): string {
  const target = url + path.replace(/^\//, '') + (query === undefined ? '' : `?${query}`)
  const json =
    body === undefined ? '' : ` -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`
  return `curl ${stream ? '-N ' : ''}${/[?&]/.test(target) ? quoted(target) : target}${json}`
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

function readExample(entry: string): Example {
  let text: string
  try {
    text = readFileSync(join(dirname(entry), 'example.json'), 'utf8')
  } catch {
    return {} // most functions have none
  }
  return JSON.parse(text) as Example // written by whoever wrote the function, for people to read
}
