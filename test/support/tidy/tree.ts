import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceFile, type SourceFile } from './source.ts'

const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', '.git', '.lambent'])
/** Copied material and recordings keep the names and lines they came with. */
const COPIED = /^test\/(conformance\/oracle|bench\/peers)\//
const TEXT = /\.(ts|tsx|js|mjs|cjs|json|md|yaml|yml|html|css|sh)$|^\.ci\/|^LICENSE$/

/** The text files of the repository at `root`, ready for the rules. */
export function readTree(root: string): SourceFile[] {
  const files: SourceFile[] = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (LEFT_OUT.has(entry.name)) continue
      if (entry.isDirectory()) walk(path)
      else if (entry.isFile() && TEXT.test(path) && !COPIED.test(path)) {
        files.push(sourceFile(path, readFileSync(join(root, path), 'utf8')))
      }
    }
  }
  walk('')
  return files
}
