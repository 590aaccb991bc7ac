import { Worker } from 'node:worker_threads'
import { EngineError, type ErrorCode } from '../errors.ts'
import type { PackageManifest } from './package-folder.ts'
import type { ZipLimits } from './zip-plan.ts'

/** What a packager thread can be asked to do. Paths are absolute. */
export type PackagerWork =
  | { kind: 'keep'; staging: string; directory: string; limits: ZipLimits; addedAtMs: number }
  | { kind: 'get'; directory: string; id: string; deep: boolean }
  | { kind: 'link'; directory: string; id: string; target: string }
  | { kind: 'remove'; paths: readonly string[] }

/** Work on its way to a packager thread. */
export interface PackagerRequest {
  readonly id: number
  readonly work: PackagerWork
}

/** An EngineError as it crosses the thread boundary. */
export interface PackagerFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly detail: string | undefined
}

/** What came of the request of that id. */
export type PackagerAnswer =
  | { readonly id: number; readonly manifest: PackageManifest | undefined }
  | { readonly id: number; readonly failure: PackagerFailure }

/** A thread that is started at its first use and again after it died. */
export interface PackagerThread {
  /**
   * Rejects 'throttled' when too much is waiting, 'internal' when the thread dies on it, else what the
   * work threw.
   */
  perform(work: PackagerWork): Promise<PackageManifest | undefined>
  /** Ends the thread; what was waiting rejects with 'unavailable'. */
  close(): Promise<void>
}

interface Waiting {
  resolve(manifest: PackageManifest | undefined): void
  reject(error: EngineError): void
}

const MAX_WAITING = 1000

/** `program` is the built packager.js. */
export function createPackagerThread(program: string): PackagerThread {
  const waiting = new Map<number, Waiting>()
  let worker: Worker | undefined
  let closed = false
  let lastId = 0

  const rejectAll = (error: EngineError): void => {
    for (const one of waiting.values()) one.reject(error)
    waiting.clear()
  }
  const start = (): Worker => {
    const started = new Worker(program, { name: 'packager', execArgv: [] })
    started.on('message', (answer: PackagerAnswer) => {
      const one = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (waiting.size === 0) started.unref()
      if ('failure' in answer) one?.reject(rebuilt(answer.failure))
      else one?.resolve(answer.manifest)
    })
    const died = (cause?: unknown): void => {
      if (worker !== started) return
      worker = undefined
      rejectAll(new EngineError('internal', 'The packager thread ended while it was at work.', { cause }))
    }
    started.on('error', died)
    started.on('exit', () => died())
    return started
  }

  return {
    perform(work) {
      if (closed) return Promise.reject(new EngineError('unavailable', 'The engine is stopping.'))
      if (waiting.size >= MAX_WAITING)
        return Promise.reject(
          new EngineError('throttled', `${MAX_WAITING} pieces of package work are waiting.`),
        )
      worker ??= start()
      const thread = worker
      const id = ++lastId
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        thread.ref()
        thread.postMessage({ id, work } satisfies PackagerRequest, [])
      })
    },
    async close() {
      closed = true
      const running = worker
      worker = undefined
      rejectAll(new EngineError('unavailable', 'The engine is stopping.'))
      await running?.terminate()
    },
  }
}

const rebuilt = (failure: PackagerFailure): EngineError =>
  new EngineError(failure.code, failure.message, {
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
  })
