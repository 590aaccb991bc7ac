import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ZippedFile } from './lambent.ts'

/** Compiling takes one to four minutes, and cmake, autotools and a compiler. */
const BUILD_LIMIT_MS = 540_000
const ASKED = 'LAMBENT_TEST_RIC'
/** What is only needed to compile it. */
const SOURCES = new Set(['deps', 'src', 'scripts', 'node-addon-api', 'build', 'node_modules'])

/**
 * AWS's own runtime client for Node.js as files of a function: built once into the user's cache, which only
 * happens where it is asked for by `LAMBENT_TEST_RIC=1`. A text says why there is none.
 */
export function awsClientFiles(version: string): Record<string, ZippedFile> | string {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lambent', 'clients')
  const home = join(cache, `aws-lambda-ric@${version}-${process.arch}`)
  if (!existsSync(home)) {
    if (process.env[ASKED] !== '1') return `aws-lambda-ric ${version} is not built; ${ASKED}=1 builds it`
    const failure = build(version, cache, home)
    if (failure !== undefined) return failure
  }
  const name = 'node_modules/aws-lambda-ric'
  return filesIn(join(home, name), name)
}

function build(version: string, cache: string, home: string): string | undefined {
  const stage = join(cache, `building-${process.pid}`)
  mkdirSync(stage, { recursive: true })
  try {
    const words = ['install', '--no-fund', '--no-audit', '--prefix', stage, `aws-lambda-ric@${version}`]
    const { status, stderr } = spawnSync('npm', words, {
      cwd: stage,
      timeout: BUILD_LIMIT_MS,
      encoding: 'utf8',
    })
    if (status !== 0) {
      const line = stderr.split('\n').find((text) => /not found|error/i.test(text)) ?? `status ${status}`
      return `aws-lambda-ric ${version} cannot be built: ${line}`
    }
    renameSync(stage, home)
    return undefined
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

function filesIn(folder: string, name: string): Record<string, ZippedFile> {
  const files: Record<string, ZippedFile> = {}
  for (const entry of readdirSync(folder)) {
    if (SOURCES.has(entry)) continue
    const path = join(folder, entry)
    if (statSync(path).isDirectory()) Object.assign(files, filesIn(path, `${name}/${entry}`))
    else files[`${name}/${entry}`] = { program: readFileSync(path), mode: statSync(path).mode & 0o777 }
  }
  return files
}
