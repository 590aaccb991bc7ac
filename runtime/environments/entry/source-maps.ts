import fs from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Larger maps are not read: parsing takes several times their size in memory. */
const MAX_MAP_BYTES = 64 * 1_048_576
/** Files whose maps are kept; more are shown as they are. */
const MAX_FILES = 256

const MAPPING_COMMENT = '//# sourceMappingURL='
const INLINE_MAP = /^data:application\/json[^,]*;base64,/

/** Reads files as they were before user code could replace `fs`. */
const { readFileSync, statSync } = fs

interface FileMap {
  map: SourceMap
  /** What relative sources are relative to. */
  folder: string
}

/**
 * Makes stacks show the original lines of bundled code under `taskRoot`, and hides the frames of `ownFile`
 * (this program) and of what called it. Nothing is read before the first stack is. Code in node_modules is
 * shown as it is.
 */
export function installSourceMaps(taskRoot: string, ownFile: string): void {
  const maps = new Map<string, FileMap | undefined>()
  const inside = `${taskRoot}${taskRoot.endsWith(sep) ? '' : sep}`

  const mapOf = (file: string): FileMap | undefined => {
    if (!file.startsWith(inside) || file.includes(`${sep}node_modules${sep}`)) return undefined
    if (!maps.has(file) && maps.size < MAX_FILES) maps.set(file, loadMap(file))
    return maps.get(file)
  }

  Error.prepareStackTrace = (error, frames) => {
    const lines = [headline(error)]
    let userSeen = false
    for (const frame of frames) {
      if (frame.getFileName() === ownFile) {
        if (userSeen) break
        continue
      }
      userSeen = true
      lines.push(`    at ${shownFrame(frame, mapOf)}`)
    }
    return lines.join('\n')
  }
}

function headline(error: Error): string {
  try {
    return Error.prototype.toString.call(error)
  } catch {
    return '<error>' // as Node.js shows one whose name or message throws
  }
}

/** A stack must always be readable, whatever stands in a file's name or its map. */
function shownFrame(frame: NodeJS.CallSite, mapOf: (file: string) => FileMap | undefined): string {
  try {
    return frameText(frame, mapOf)
  } catch {
    return String(frame)
  }
}

function frameText(frame: NodeJS.CallSite, mapOf: (file: string) => FileMap | undefined): string {
  const text = String(frame)
  const name = frame.getFileName()
  const line = frame.getLineNumber()
  const column = frame.getColumnNumber()
  if (typeof name !== 'string' || line === null || column === null) return text
  const found = mapOf(name.startsWith('file:') ? fileURLToPath(name) : name)
  if (found === undefined) return text
  const entry = found.map.findEntry(line - 1, column - 1)
  if (!('originalSource' in entry) || typeof entry.originalSource !== 'string') return text
  const source = resolve(found.folder, entry.originalSource.replace(/^file:\/\//, ''))
  return text.replace(
    `${name}:${line}:${column}`,
    () => `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`,
  )
}

function loadMap(file: string): FileMap | undefined {
  try {
    return readMap(file)
  } catch {
    // A map that is not there or cannot be read is as good as none: the stack shows the code as it runs.
    return undefined
  }
}

function readMap(file: string): FileMap | undefined {
  const content = readFileSync(file, 'utf8')
  const start = content.lastIndexOf(MAPPING_COMMENT)
  if (start < 0) return undefined
  const [url = ''] = content.slice(start + MAPPING_COMMENT.length).split(/\s/, 1)
  const folder = dirname(file)
  if (INLINE_MAP.test(url)) {
    if (url.length > MAX_MAP_BYTES) return undefined
    return parseMap(Buffer.from(url.replace(INLINE_MAP, ''), 'base64').toString(), folder)
  }
  if (url.startsWith('data:')) return undefined
  const path = resolve(folder, decodeURIComponent(url))
  if (statSync(path).size > MAX_MAP_BYTES) return undefined
  return parseMap(readFileSync(path, 'utf8'), dirname(path))
}

function parseMap(text: string, folder: string): FileMap {
  // Checked by SourceMap itself; `sourceRoot` is applied by it as well.
  return { map: new SourceMap(JSON.parse(text)), folder }
}
