import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { entryPath } from '../entries.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { CodePackages } from './packages.ts'
import type { CodePackage } from './types.ts'

/** A Node.js that functions run with. */
export interface CompileTarget {
  readonly nodePath: string
  /** As `process.version` of that binary says it. */
  readonly nodeVersion: string
}

/**
 * Compiles a package's entry file ahead of time and keeps the result beside the package. Resolves whether
 * or not that worked: a missing code cache costs milliseconds, never correctness. Only the signal makes
 * it reject.
 */
export type CompilePackage = (
  codePackage: CodePackage,
  handler: string,
  target: CompileTarget,
  signal?: AbortSignal,
) => Promise<void>

const TIME_LIMIT_MS = 20_000
const MAX_COMPLAINT_BYTES = 2048

/** Compiling is done by the bootstrap in a process of its own, which reads the code and never runs it. */
export function createCompile(options: {
  packages: CodePackages
  clock: Clock
  log: Log
  /** Where environments see their code: V8 keeps the names it compiled files under. */
  shownRoot: string
}): CompilePackage {
  const { packages, clock, log, shownRoot } = options
  return async (codePackage, handler, target, signal) => {
    signal?.throwIfAborted()
    if (packages.codeCachePath(codePackage, target.nodeVersion) !== undefined) return
    const folder = await mkdtemp(join(tmpdir(), 'lambent-compile-'))
    try {
      signal?.throwIfAborted()
      const output = join(folder, 'code.cache')
      const argv = [
        entryPath('environment.cjs'),
        '--make-code-cache',
        codePackage.directory,
        handler,
        output,
        shownRoot,
      ]
      const complaint = await runLimited(target.nodePath, argv, clock, signal)
      signal?.throwIfAborted()
      const bytes = complaint === undefined ? await readFile(output) : Buffer.alloc(0)
      if (bytes.length > 0) await packages.saveCodeCache(codePackage, target.nodeVersion, bytes)
      else log.debug('no code cache made', { package: codePackage.id, handler, reason: complaint ?? 'empty' })
    } catch (error) {
      signal?.throwIfAborted()
      log.warn('no code cache made', { package: codePackage.id, handler, reason: messageOf(error) })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Undefined when the program ended with 0 in time; otherwise what went wrong. */
function runLimited(
  nodePath: string,
  argv: readonly string[],
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(nodePath, argv, { env: { LANG: 'C.UTF-8' }, stdio: ['ignore', 'ignore', 'pipe'] })
    const kill = (): void => void child.kill('SIGKILL')
    let complaint = ''
    const limit = clock.after(TIME_LIMIT_MS, () => {
      complaint = `it took longer than ${TIME_LIMIT_MS} ms`
      kill()
    })
    const finish = (reason: string | undefined): void => {
      limit.cancel()
      signal?.removeEventListener('abort', kill)
      resolve(reason)
    }
    signal?.addEventListener('abort', kill, { once: true })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT_BYTES)
    })
    child.on('error', (error) => finish(error.message))
    child.on('close', (code, killedBy) =>
      finish(code === 0 ? undefined : complaint || `exit ${code ?? killedBy ?? 'unknown'}`),
    )
  })
}
