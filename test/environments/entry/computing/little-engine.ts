import {
  packError,
  packTask,
  refsOf,
  type Attachment,
} from '../../../../runtime/environments/call-payload.ts'
import { FLAG, FRAME, frame, RESULT_META_BYTES } from '../../../../runtime/environments/frames.ts'
import { readItemMeta } from '../../../../runtime/environments/stream-items.ts'
import { encode } from '../../../../runtime/sdk/codec/encode.ts'
import { ObjectLost, TaskCancelled } from '../../../../runtime/sdk/errors.ts'
import { TestEnvironment, type ReceivedFrame } from '../test-engine.ts'

interface Settled {
  readonly flags: number
  readonly body: Buffer
}

interface Work {
  readonly refId: string
  readonly asker: TestEnvironment
  readonly number: number
  readonly runner: TestEnvironment
  readonly id: number
}

export const EMPTY = Buffer.alloc(0)

/** What an error of the engine's own looks like on the way. */
export const engineError = (error: Error): Buffer => packError(error.name, encode(error).head)

/**
 * Just enough of an engine for real environments to work for each other: one that asks, and one for each of
 * `runners` that runs tasks. It keeps every value, and notes what it was asked.
 */
export class LittleEngine implements AsyncDisposable {
  readonly asked: string[] = []
  readonly settled = new Map<string, Settled>()
  readonly asker: TestEnvironment
  readonly runners: TestEnvironment[]
  readonly #work: Work[] = []
  readonly #waiting = new Map<string, (() => void)[]>()
  /** Called first; true: it has dealt with the request. */
  intercept: ((operation: string, fields: string[], received: ReceivedFrame) => boolean) | undefined
  #next = 0

  private constructor(asker: TestEnvironment, runners: TestEnvironment[]) {
    this.asker = asker
    this.runners = runners
    for (const one of [asker, ...runners]) one.onFrame = (received) => this.#receive(one, received)
  }

  /** Starts one environment for the handler and `runners` for tasks, all with the same code. */
  static async start(
    code: string,
    options: { runners?: number; lendsCpu?: boolean } = {},
  ): Promise<LittleEngine> {
    const { runners = 1, lendsCpu = false } = options
    const start = (refPrefix: string, role: 'handler' | 'task'): Promise<TestEnvironment> =>
      TestEnvironment.start({
        files: { 'index.js': PRELUDE + code },
        specialization: { refPrefix, role, lendsCpu },
      })
    const all = await Promise.all([
      start('oa', 'handler'),
      ...Array.from({ length: runners }, (_, index) => start(`ot${index}`, 'task')),
    ])
    return new LittleEngine(all[0], all.slice(1))
  }

  /** Runs the handler. The result is its JSON, which may be that of an error. */
  async call(event: unknown = {}): Promise<unknown> {
    const answer = await this.asker.invoke(event)
    return JSON.parse(answer.text)
  }

  /** Operations asked so far that begin with `name`. */
  of(name: string): string[] {
    return this.asked.filter((one) => one.startsWith(name))
  }

  /** Lets go of what waits for a ref. */
  settle(refId: string, flags: number, body: Buffer): void {
    this.settled.set(refId, { flags, body })
    for (const waiting of this.#waiting.get(refId) ?? []) waiting()
    this.#waiting.delete(refId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.asker, ...this.runners].map((one) => one[Symbol.asyncDispose]()))
  }

  #receive(from: TestEnvironment, received: ReceivedFrame): void {
    const { type, id, flags, extra, body } = received
    if (type === FRAME.request) return this.#requested(from, received)
    const work = this.#work.find((one) => one.runner === from && one.id === id)
    if (work === undefined) return
    if (type === FRAME.result) {
      const value = Buffer.from(body.subarray(RESULT_META_BYTES))
      this.settle(work.refId, flags, value)
    }
    if (type === FRAME.said && readItemMeta(body.toString('latin1', 0, extra)) !== undefined) {
      const index = readItemMeta(body.toString('latin1', 0, extra))
      const value = Buffer.from(body.subarray(extra))
      this.settle(`${work.refId}.${index}`, flags, value)
      work.asker.send(frame(FRAME.answer, value, work.number, FLAG.streaming | flags))
    }
  }

  #requested(from: TestEnvironment, received: ReceivedFrame): void {
    const { id, flags, extra, body } = received
    const meta = body.toString('utf8', 0, extra)
    const payload = Buffer.from(body.subarray(extra))
    const [operation = '', ...fields] = meta.split('\n')
    this.asked.push(meta)
    if (this.intercept?.(operation, fields, received) === true) return
    const answer = (settled: Settled): void => from.send(frame(FRAME.answer, settled.body, id, settled.flags))
    const refId = `${from === this.asker ? 'oa' : `ot${this.runners.indexOf(from)}`}-${id}`
    switch (operation) {
      case 'task':
        this.#when(refId, answer)
        return this.#begin(from, id, refId, fields, payload)
      case 'get':
        return this.#when(fields[1] ?? '', answer)
      case 'put':
        this.settle(refId, flags, payload)
        return answer({ flags: 0, body: EMPTY })
      case 'cancel': {
        const work = this.#work.find((one) => one.refId === fields[0])
        if (work !== undefined) work.runner.send(frame(FRAME.abort, '', work.id))
        this.settle(fields[0] ?? '', FLAG.error, engineError(new TaskCancelled('It was cancelled.')))
        return answer({ flags: 0, body: EMPTY })
      }
      case 'unblock':
        return answer({ flags: 0, body: EMPTY })
      case 'taken':
      case 'stop':
        return this.#tellProducer(from, Number(fields[0]), [operation, ...fields.slice(1)].join('\n'))
    }
  }

  #begin(asker: TestEnvironment, number: number, refId: string, fields: string[], payload: Buffer): void {
    const [, , exportName = '', , topRefs = ''] = fields
    const tops = topRefs === '' ? [] : topRefs.split(',').map((one) => one.slice(one.indexOf(':') + 1))
    for (const inner of refsOf(payload)) if (!tops.includes(inner)) this.asked.push(`pinned ${inner}`)
    const start = (attachments: Attachment[]): void => {
      // There is one at least.
      const runner = this.runners[this.#next++ % this.runners.length] as TestEnvironment
      const id = runner.post(packTask(payload, attachments), { target: `task/${exportName}` })
      this.#work.push({ refId, asker, number, runner, id })
    }
    const collect = (missing: string[], found: Attachment[]): void => {
      const [next, ...rest] = missing
      if (next === undefined) return start(found)
      this.#when(next, (settled) => collect(rest, [...found, { refId: next, ...settled }]))
    }
    collect(tops, [])
  }

  #when(refId: string, then: (settled: Settled) => void): void {
    const now = this.settled.get(refId)
    if (now !== undefined) return then(now)
    if (refId === 'lost-1')
      return then({ flags: FLAG.error, body: engineError(new ObjectLost('It is gone.')) })
    const waiting = this.#waiting.get(refId) ?? []
    waiting.push(() => then(this.settled.get(refId) as Settled)) // it is called when there is one
    this.#waiting.set(refId, waiting)
  }

  #tellProducer(asker: TestEnvironment, number: number, meta: string): void {
    const work = this.#work.find((one) => one.asker === asker && one.number === number)
    work?.runner.send(frame(FRAME.message, meta, work.id, 0, Buffer.byteLength(meta)))
  }
}

const PRELUDE = `const { task, get, wait, put, cancel, ObjectRef, errors, context, placementGroup } =
  globalThis[Symbol.for('lambent.sdk.v1')];
`
