import { EngineError } from '../errors.ts'
import type { ObjectPlaces } from './frames.ts'
import type { LaunchedProcess, ProcessExit, ProcessLimits } from './launcher.ts'
import type { SpawnerRequest } from './spawner/protocol.ts'

/** Where a process's files are, and how to reach who started it. */
export interface LocalProcessParts {
  readonly environmentId: string
  readonly taskDirectory: string
  readonly taskRoot: string
  readonly optRoot: string
  readonly librariesRoot: string
  readonly cacheDirectory: string
  readonly cacheRoot: string
  readonly variables: Readonly<Record<string, string>>
  readonly sharesUser: boolean
  readonly sandboxAddress: string
  readonly temporaryDirectory: string
  readonly objects: ObjectPlaces | undefined
  readonly send: (request: SpawnerRequest) => void
  /** Moves a /tmp that waits for `key` into this one's. */
  readonly inherit: (key: string) => Promise<void>
  readonly onExit: (temporaryFor: string | undefined) => void
}

/** A process of this machine's spawner, seen from the engine. */
export class LocalProcess implements LaunchedProcess {
  readonly environmentId: string
  readonly taskDirectory: string
  readonly taskRoot: string
  readonly optRoot: string
  readonly librariesRoot: string
  readonly cacheDirectory: string
  readonly cacheRoot: string
  readonly variables: Readonly<Record<string, string>>
  readonly sharesUser: boolean
  readonly sandboxAddress: string
  readonly temporaryDirectory: string
  readonly objects: ObjectPlaces | undefined
  readonly exited: Promise<ProcessExit>
  temporaryFor: string | undefined
  readonly #parts: LocalProcessParts
  #settle: (exit: ProcessExit) => void = () => {}
  #pid: number | null = null
  #ended = false
  #sequence = 0
  readonly #limiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()

  constructor(parts: LocalProcessParts) {
    this.#parts = parts
    this.environmentId = parts.environmentId
    this.taskDirectory = parts.taskDirectory
    this.taskRoot = parts.taskRoot
    this.optRoot = parts.optRoot
    this.librariesRoot = parts.librariesRoot
    this.cacheDirectory = parts.cacheDirectory
    this.cacheRoot = parts.cacheRoot
    this.variables = parts.variables
    this.sharesUser = parts.sharesUser
    this.sandboxAddress = parts.sandboxAddress
    this.temporaryDirectory = parts.temporaryDirectory
    this.objects = parts.objects
    this.exited = new Promise((resolve) => (this.#settle = resolve))
  }

  get pid(): number | null {
    return this.#pid
  }

  limit(limits: ProcessLimits): Promise<void> {
    if (this.#ended) return Promise.reject(gone(this.environmentId, 'it has ended'))
    const sequence = ++this.#sequence
    return new Promise((resolve, reject) => {
      this.#limiting.set(sequence, { resolve, reject })
      this.#parts.send({ kind: 'limit', id: this.environmentId, sequence, ...limits })
    })
  }

  inheritTemporary(key: string): Promise<void> {
    return this.#parts.inherit(key)
  }

  kill(): void {
    if (!this.#ended) this.#parts.send({ kind: 'kill', id: this.environmentId })
  }

  terminate(): void {
    if (!this.#ended) this.#parts.send({ kind: 'terminate', id: this.environmentId })
  }

  /** The spawner has started it. */
  started(pid: number): void {
    this.#pid = pid
  }

  /** The spawner has answered the limits numbered `sequence`. */
  limited(sequence: number, problem: string | null): void {
    const waiting = this.#limiting.get(sequence)
    this.#limiting.delete(sequence)
    if (problem === null) waiting?.resolve()
    else waiting?.reject(gone(this.environmentId, problem))
  }

  /** The tree is gone; the first word on how it ended counts. */
  end(exit: ProcessExit): void {
    if (this.#ended) return
    this.#ended = true
    for (const waiting of this.#limiting.values()) waiting.reject(gone(this.environmentId, 'it has ended'))
    this.#limiting.clear()
    this.#parts.onExit(this.temporaryFor)
    this.#settle(exit)
  }
}

const gone = (environmentId: string, reason: string): EngineError =>
  new EngineError('unavailable', `Limits of environment ${environmentId} could not be set: ${reason}.`)
