import { randomUUID } from 'node:crypto'
import { systemClock } from '../../runtime/clock.ts'
import { findNativeMapper } from '../../runtime/environments/native-mapper.ts'
import { createLog } from '../../runtime/log.ts'
import { SegmentFolders } from '../../runtime/objects/segment-folders.ts'
import { Segments } from '../../runtime/objects/segments.ts'
import { systemRng } from '../../runtime/rng.ts'
import type { Clock } from '../../runtime/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { ValueProcess } from './value-process.ts'

/** Segments of an engine, and processes that use them. */
export class SegmentsWorld implements AsyncDisposable {
  readonly segments: Segments
  readonly folders: SegmentFolders
  readonly #data = temporaryDirectory()
  readonly #processes: ValueProcess[] = []

  constructor(
    options: { memoryMb?: number; diskMb?: number; memoryBase?: string | null; clock?: Clock } = {},
  ) {
    const clock = options.clock ?? systemClock
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    this.folders = new SegmentFolders({
      dataDirectory: this.#data.path,
      ...(options.memoryBase === undefined ? {} : { memoryBase: options.memoryBase }),
      rng: systemRng(),
      log,
    })
    this.segments = new Segments({
      folders: this.folders,
      limits: { memory: (options.memoryMb ?? 256) * 1e6, disk: (options.diskMb ?? 256) * 1e6 },
      clock,
      log,
    })
  }

  /** An environment that is not a process: its folders, and what it is called. */
  environment(domain = 'a function'): { id: string; memory: string | null; disk: string | null } {
    const id = randomUUID()
    const folders = this.segments.openEnvironment(id, null)
    this.segments.assign(id, domain)
    return { id, ...folders }
  }

  /** An environment's process; `maps: false` does without koffi. */
  async process(options: { domain?: string; maps?: boolean } = {}): Promise<Environment> {
    const { id, memory, disk } = this.environment(options.domain)
    const process = await ValueProcess.start(
      { memory, disk },
      options.maps === false ? undefined : findNativeMapper(),
      (text) => this.segments.giveBack(id, text),
    )
    this.#processes.push(process)
    return {
      id,
      ask: (question) => process.ask(question),
      place: async (megabytes, first = 1) => {
        const { location = '', tookMs = 0 } = await process.ask({
          ask: 'place',
          floats: megabytes * 250_000,
          first,
        })
        const body = this.segments.adopt(id, Buffer.from(location, 'latin1'))
        this.segments.retain(body)
        return { body, tookMs }
      },
      map: async (body, name = 'value') => {
        const location = this.segments.lend(body, id).toString('latin1')
        const { sum = 0, first = 0, tookMs = 0 } = await process.ask({ ask: 'map', name, location })
        return { sum, first, tookMs }
      },
      kill: async () => {
        await process.kill()
        this.segments.endEnvironment(id)
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()))
    await this.segments.close()
    this.#data[Symbol.dispose]()
  }
}

/** A process of a `SegmentsWorld`. */
export interface Environment {
  readonly id: string
  readonly ask: ValueProcess['ask']
  /** Has it write a value, which the caller holds. */
  place(megabytes: number, first?: number): Promise<{ body: Buffer; tookMs: number }>
  /** Gives it a value. */
  map(body: Buffer, name?: string): Promise<{ sum: number; first: number; tookMs: number }>
  /** Kills it; it is gone for the engine, too. */
  kill(): Promise<void>
}
