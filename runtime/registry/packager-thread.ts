import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { EngineError, messageOf } from '../errors.ts'
import {
  CACHE_NAME,
  checkPackage,
  linkTree,
  manifestPath,
  readManifest,
  TASK_NAME,
  verifyPackage,
  writeManifest,
  ZIP_NAME,
  type PackageManifest,
} from './package-folder.ts'
import type { PackagerAnswer, PackagerFailure, PackagerRequest, PackagerWork } from './package-worker.ts'
import { syncParent, syncPath, unpackZip } from './zip.ts'

/** The program of a packager thread: does one piece of file work at a time and answers each. */

type WorkOf<K extends PackagerWork['kind']> = Extract<PackagerWork, { kind: K }>

/** Unpacks `<staging>/package.zip` beside itself and moves the whole folder to its place under its hash. */
async function keep(work: WorkOf<'keep'>): Promise<PackageManifest> {
  const { staging, directory, limits, addedAtMs } = work
  const zip = readFileSync(join(staging, ZIP_NAME))
  const id = createHash('sha256').update(zip).digest('hex')
  const folder = join(directory, id)
  const present = existing(folder, id)
  if (present !== undefined) {
    touch(folder, addedAtMs)
    return present
  }
  const tree = await unpackZip(zip, join(staging, TASK_NAME), limits)
  mkdirSync(join(staging, CACHE_NAME), { mode: 0o755 })
  const manifest: PackageManifest = { format: 1, id, sizeBytes: zip.length, tree }
  writeManifest(staging, manifest)
  touch(staging, addedAtMs)
  for (const path of [join(staging, ZIP_NAME), manifestPath(staging), staging]) await syncPath(path)
  // Only a damaged package can still be there. Environments that run from it hold links of their own.
  if (existsSync(folder)) renameSync(folder, `${staging}.damaged`)
  renameSync(staging, folder)
  await syncParent(folder)
  rmSync(`${staging}.damaged`, { recursive: true, force: true })
  return manifest
}

/** The manifest's time says when the package was last added: a sweep leaves young ones alone. */
function touch(folder: string, addedAtMs: number): void {
  const seconds = addedAtMs / 1000
  utimesSync(manifestPath(folder), seconds, seconds)
}

/** The whole package that is already there; undefined when there is none, or a damaged one. */
function existing(folder: string, id: string): PackageManifest | undefined {
  if (!existsSync(folder)) return undefined
  try {
    const manifest = readManifest(folder, id)
    checkPackage(folder, manifest)
    return manifest
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}

function get(work: WorkOf<'get'>): PackageManifest {
  const folder = join(work.directory, work.id)
  const manifest = readManifest(folder, work.id)
  if (work.deep) verifyPackage(folder, manifest)
  else checkPackage(folder, manifest)
  return manifest
}

function link(work: WorkOf<'link'>): undefined {
  const folder = join(work.directory, work.id)
  linkTree(join(folder, TASK_NAME), readManifest(folder, work.id).tree, work.target)
}

function remove(work: WorkOf<'remove'>): undefined {
  for (const path of work.paths) rmSync(path, { recursive: true, force: true })
}

async function perform(work: PackagerWork): Promise<PackageManifest | undefined> {
  switch (work.kind) {
    case 'keep':
      return await keep(work)
    case 'get':
      return get(work)
    case 'link':
      return link(work)
    case 'remove':
      return remove(work)
  }
}

const failureOf = (error: unknown): PackagerFailure =>
  error instanceof EngineError
    ? { code: error.code, message: error.message, hint: error.hint, detail: error.detail }
    : { code: 'internal', message: messageOf(error), hint: undefined, detail: undefined }

/** One at a time, in order: two zips at once would only fight over the disk, and equal ones would race. */
let queue: Promise<void> = Promise.resolve()

parentPort?.on('message', (request: PackagerRequest) => {
  queue = queue.then(async () => {
    let answer: PackagerAnswer
    try {
      answer = { id: request.id, manifest: await perform(request.work) }
    } catch (error) {
      answer = { id: request.id, failure: failureOf(error) }
    }
    parentPort?.postMessage(answer, [])
  })
})
