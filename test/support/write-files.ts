import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TemporaryDirectory } from './temporary.ts'

/** Writes files by their path in a folder, with the folders they need. */
export function writeFiles(folder: TemporaryDirectory, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join(path)), { recursive: true })
    writeFileSync(folder.join(path), content)
  }
}
