import { existsSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { build } from 'esbuild'
import { packageNameOf } from './bundle-packages.ts'
import { addFolder, readContent, writeZip, type ZipContents } from './bundle-zip.ts'

/** Zips plain Lambda code as it is: the folder with its own node_modules. */
export async function zipFolder(folder: string): Promise<Buffer> {
  const contents: ZipContents = new Map()
  const skipped = /(?:^|\/)(?:\.git\/|\.lambent\/|\.DS_Store$)/
  addFolder(contents, folder, '', (file) => !skipped.test(file))
  return await writeZip(contents)
}

/**
 * Whether a JavaScript entry runs from its own folder as it is: it does not import `lambent`, and each
 * package it imports is installed inside that folder or nowhere.
 */
export async function runsAsItIs(entry: string): Promise<boolean> {
  if (!/^\.[cm]?js$/.test(extname(entry))) return false
  const folder = dirname(resolve(entry))
  const { metafile } = await build({
    entryPoints: [resolve(entry)],
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
    format: 'esm',
    loader: { '.node': 'empty' },
    outdir: folder,
  })
  const own = Object.keys(metafile.inputs).every(
    (input) => !relative(folder, resolve(folder, input)).startsWith('..'),
  )
  const names = Object.values(metafile.inputs).flatMap((input) =>
    input.imports.filter((one) => one.external === true).map((one) => packageNameOf(one.path)),
  )
  return own && names.every((name) => name === undefined || (name !== 'lambent' && !isHoisted(name, folder)))
}

function isHoisted(name: string, folder: string): boolean {
  if (existsSync(join(folder, 'node_modules', name))) return false
  for (let at = dirname(folder); dirname(at) !== at; at = dirname(at))
    if (existsSync(join(at, 'node_modules', name))) return true
  return false
}

/** The zip of a file that is one already. */
export const readZip = (path: string): Buffer => readContent(path).content
