import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The programs the engine starts beside itself, each one self-contained file made by `npm run build`. */
export type EntryName =
  | 'spawner.js'
  | 'gpu-probe.js'
  | 'environment.cjs'
  | 'bootstrap.py'
  | 'committer.js'
  | 'packager.js'
  | 'keeper.js'

/**
 * The absolute path of a built program: beside the running file when the engine itself runs from `dist/`,
 * else in the checkout's `dist/`.
 */
export function entryPath(name: EntryName): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const candidates = [join(here, 'entry', name), join(here, '..', 'dist', 'entry', name)]
  const found = candidates.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`${name} is not built. Run: npm run build`)
  return found
}
