import { cpSync, existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TemporaryDirectory } from '../support/temporary.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A copy of the built program in `folder`: a build in between does not change what is restarted. */
export function copyProgram(folder: TemporaryDirectory): string {
  const built = join(root, 'dist')
  if (!existsSync(join(built, 'lambent.js'))) throw new Error('dist/ is not built. Run: npm run build:quick')
  cpSync(built, folder.join('program', 'dist'), {
    recursive: true,
    filter: (path) => !path.endsWith('.map') && !path.startsWith(join(built, 'types')),
  })
  cpSync(join(root, 'package.json'), folder.join('program', 'package.json'))
  symlinkSync(join(root, 'node_modules'), folder.join('program', 'node_modules'))
  return folder.join('program', 'dist', 'lambent.js')
}
