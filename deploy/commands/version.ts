import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

/** `lambent version`: of this installation and of the Node.js that runs it. */
export async function version({ out }: Session): Promise<ExitCode> {
  const value = { lambent: installedVersion(), node: process.versions.node }
  await out.answer(value, () => value.lambent)
  return EXIT.ok
}

/** The version in the package.json above the running file, in a checkout and in dist/ alike. */
export function installedVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  return (parsed as { version: string }).version // our own manifest, which always has one
}

/** The folder of the installed package: the nearest one upward with a package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (folder !== dirname(folder)) {
    try {
      readFileSync(join(folder, 'package.json'))
      return folder
    } catch {
      folder = dirname(folder)
    }
  }
  throw new Error('The package.json of Lambent is missing.')
}
