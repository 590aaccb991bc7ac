import { createHash } from 'node:crypto'
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  statSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EngineError } from '../errors.ts'
import type { CodePackage } from './types.ts'
import type { UnpackedTree } from './zip.ts'

/** What a package folder says about itself. It is written last, so a folder that has one is whole. */
export interface PackageManifest {
  readonly format: 1
  /** Hex SHA-256 of the zip. */
  readonly id: string
  readonly sizeBytes: number
  readonly tree: UnpackedTree
}

/** What a package's id looks like: nothing else is ever joined to a path. */
export const PACKAGE_ID = /^[0-9a-f]{64}$/
/** Names inside a package folder. */
export const ZIP_NAME = 'package.zip'
export const TASK_NAME = 'task'
export const CACHE_NAME = 'cache'
const MANIFEST_NAME = 'manifest.json'

/** Where the files of the package `id` lie in `directory`. */
export const filesOf = (directory: string, id: string): string => join(directory, id, TASK_NAME)

/** The package whose files lie in `directory`, which `filesOf` gave. */
export const packageIdOf = (directory: string): string => basename(dirname(directory))

/** The package that lies in `<directory>/<id>`. */
export const describePackage = (
  directory: string,
  { id, sizeBytes, tree }: PackageManifest,
): CodePackage => ({
  id,
  sha256: Buffer.from(id, 'hex').toString('base64'),
  sizeBytes,
  unzippedBytes: tree.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  directory: filesOf(directory, id),
  zipPath: join(directory, id, ZIP_NAME),
})

/** Writes a folder's manifest, which must not have one. */
export function writeManifest(folder: string, manifest: PackageManifest): void {
  writeFileSync(join(folder, MANIFEST_NAME), JSON.stringify(manifest), { flag: 'wx', mode: 0o400 })
}

/** The manifest's own path, for syncing. */
export const manifestPath = (folder: string): string => join(folder, MANIFEST_NAME)

/**
 * Throws EngineError 'not-found' when there is no package in `folder`, 'internal' when its manifest is
 * unreadable.
 */
export function readManifest(folder: string, id: string): PackageManifest {
  let text: string
  try {
    text = readFileSync(join(folder, MANIFEST_NAME), 'utf8')
  } catch (error) {
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined)
      throw new EngineError('not-found', `There is no code package ${id}.`)
    throw damaged(id, 'its manifest cannot be read', error)
  }
  try {
    // written by writeManifest; its identity is checked below
    const manifest = JSON.parse(text) as PackageManifest
    if (manifest.format === 1 && manifest.id === id) return manifest
  } catch (error) {
    throw damaged(id, 'its manifest is not JSON', error)
  }
  throw damaged(id, 'its manifest belongs to another package')
}

/**
 * Compares kinds and sizes on disk with the manifest: finds what is missing or cut short, at a stat a
 * file.
 */
export function checkPackage(folder: string, manifest: PackageManifest): void {
  const { id, tree } = manifest
  const zip = statSync(join(folder, ZIP_NAME), { throwIfNoEntry: false })
  if (zip?.size !== manifest.sizeBytes) throw damaged(id, `its zip is not ${manifest.sizeBytes} bytes`)
  const task = join(folder, TASK_NAME)
  if (!statSync(task, { throwIfNoEntry: false })?.isDirectory()) throw damaged(id, 'its files are gone')
  for (const file of tree.files) {
    const found = lstatSync(join(task, file.path), { throwIfNoEntry: false })
    if (!found?.isFile() || found.size !== file.sizeBytes)
      throw damaged(id, `"${file.path}" is not a file of ${file.sizeBytes} bytes`)
  }
  for (const path of tree.directories)
    if (!lstatSync(join(task, path), { throwIfNoEntry: false })?.isDirectory())
      throw damaged(id, `"${path}" is not a folder`)
  for (const link of tree.links)
    if (!lstatSync(join(task, link.path), { throwIfNoEntry: false })?.isSymbolicLink())
      throw damaged(id, `"${link.path}" is not a link`)
}

/** As `checkPackage`, and reads every byte: finds what was changed in place. */
export function verifyPackage(folder: string, manifest: PackageManifest): void {
  checkPackage(folder, manifest)
  const { id, tree } = manifest
  const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
  if (hashOf(join(folder, ZIP_NAME)) !== id) throw damaged(id, 'its zip has changed')
  const task = join(folder, TASK_NAME)
  for (const file of tree.files)
    if (hashOf(join(task, file.path)) !== file.sha256) throw damaged(id, `"${file.path}" has changed`)
  for (const link of tree.links)
    if (readlinkSync(join(task, link.path)) !== link.target) throw damaged(id, `"${link.path}" has changed`)
}

/**
 * Lays the package's tree out in `target` (exists, empty) by hard links, or by copies where links cannot
 * go.
 */
export function linkTree(task: string, tree: UnpackedTree, target: string): void {
  for (const path of tree.directories) mkdirSync(`${target}/${path}`)
  let copy = false
  for (const file of tree.files) {
    if (!copy) copy = !linked(`${task}/${file.path}`, `${target}/${file.path}`)
    if (copy) copyFileSync(`${task}/${file.path}`, `${target}/${file.path}`, constants.COPYFILE_FICLONE)
  }
  for (const link of tree.links) symlinkSync(link.target, `${target}/${link.path}`)
}

/**
 * Another device, a file system without links, a policy against them, or a file with too many links
 * already.
 */
const CANNOT_LINK: ReadonlySet<unknown> = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'])

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && CANNOT_LINK.has(error.code)) return false
    throw error
  }
}

const damaged = (id: string, reason: string, cause?: unknown): EngineError =>
  new EngineError('internal', `The code package ${id} is damaged: ${reason}.`, {
    detail: 'package-damaged',
    hint: 'Deploy the function again: the same zip replaces a damaged package.',
    cause,
  })
