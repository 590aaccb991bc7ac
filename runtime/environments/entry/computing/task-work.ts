import { types } from 'node:util'
import { ObjectRef } from '../../../sdk/object-ref.ts'
import { Task, type DeclaredTask } from '../../../sdk/task.ts'
import { unpackTask, type Attachment } from '../../call-payload.ts'
import { FLAG, FRAME, HEADER_BYTES, writeHeader } from '../../frames.ts'
import { itemMeta, readProducerMessage, STREAM_WINDOW } from '../../stream-items.ts'
import type { Connection } from '../connection.ts'
import { PromiseContext, type FunctionFacts } from '../context.ts'
import { ANSWER_BYTES, type Executor } from '../executor.ts'
import type { Invocation } from '../invocation.ts'
import type { Lending } from './lending.ts'
import { writeText } from './calls.ts'
import type { Values } from './values.ts'

/** What tasks need of the rest of the environment. */
export interface TaskWorkParts {
  readonly connection: Pick<Connection, 'post'>
  readonly values: Values
  readonly lending: Lending | undefined
  readonly facts: FunctionFacts
  /** The package's task by its export. */
  readonly taskOf: (exportName: string) => DeclaredTask | undefined
}

/** Runs the tasks of a package that this process is given. */
export class TaskWork {
  readonly #parts: TaskWorkParts
  /** Those whose items somebody takes, by the number of their invocation. */
  readonly #producers = new Map<number, Producer>()

  constructor(parts: TaskWorkParts) {
    this.#parts = parts
  }

  /**
   * Calls the task and answers with what becomes of it. One that may run `again` after a death is answered
   * together with others of the same turn: nobody has to know which of them had started.
   */
  start(executor: Executor, invocation: Invocation, exportName: string, again: boolean): void {
    // The context of a task has no callbacks, whatever the runtime's contract is for handlers.
    invocation.context = new PromiseContext(invocation, this.#parts.facts)
    invocation.onEmptyLoop = () => executor.fail(invocation, neverSettles(exportName))
    void this.#run(executor, invocation, exportName).then(
      (result) => {
        if (again && executor.mayHurry()) this.#succeed(executor, invocation, result, true)
        else executor.later(() => this.#succeed(executor, invocation, result, false))
      },
      (error: unknown) => executor.later(() => executor.fail(invocation, error)),
    )
  }

  /** Takes a `message` for an invocation; false: no task's producer is meant. */
  message(id: number, meta: string): boolean {
    const producer = this.#producers.get(id)
    if (producer === undefined) return false
    const told = readProducerMessage(meta)
    if (told === 'stop') producer.stop()
    else if (told !== undefined) producer.taken(told.taken)
    return true
  }

  async #run(executor: Executor, invocation: Invocation, exportName: string): Promise<unknown> {
    const task = this.#parts.taskOf(exportName)
    if (task === undefined)
      throw new TypeError(`The function's code exports no task "${exportName}" (any more). Deploy it again.`)
    const args = this.#arguments(invocation.payload)
    const { fn } = task
    const result: unknown = fn(...args)
    const items = itemsOf(result)
    if (items === undefined) return await result
    await this.#produce(executor, invocation, items)
    return undefined
  }

  #arguments(payload: Buffer): unknown[] {
    const { values } = this.#parts
    const { args, attachments } = unpackTask(payload)
    const decoded = values.decode(0, args)
    if (!Array.isArray(decoded)) throw new RangeError('The arguments of a task are no list.')
    if (attachments.length === 0) return decoded
    const byId = new Map(attachments.map((one) => [one.refId, one]))
    return decoded.map((arg: unknown) => {
      const attachment = arg instanceof ObjectRef ? byId.get(arg.id) : undefined
      return attachment === undefined ? arg : this.#attached(attachment)
    })
  }

  #attached({ flags, body }: Attachment): unknown {
    if (flags & FLAG.error) throw this.#parts.values.decodeError(body)
    return this.#parts.values.decode(flags, body)
  }

  #succeed(executor: Executor, invocation: Invocation, result: unknown, together: boolean): void {
    let sendable
    try {
      sendable = this.#parts.values.encode(result, ANSWER_BYTES)
    } catch (error) {
      return executor.fail(invocation, error)
    }
    executor.answerWith(invocation, sendable.flags, sendable.bytes, together)
  }

  async #produce(
    executor: Executor,
    invocation: Invocation,
    items: AsyncIterator<unknown> | Iterator<unknown>,
  ): Promise<void> {
    const producer = new Producer({
      say: (index, item) => this.#say(invocation, index, item),
      began: () => {
        invocation.waitsForEngine = true
        executor.updateHold()
        this.#parts.lending?.began(invocation)
      },
      resume: (then) => {
        invocation.waitsForEngine = false
        executor.updateHold()
        if (this.#parts.lending === undefined) then()
        else this.#parts.lending.resume(invocation, then)
      },
    })
    this.#producers.set(invocation.id, producer)
    try {
      await producer.run(items)
    } finally {
      this.#producers.delete(invocation.id)
    }
  }

  #say(invocation: Invocation, index: number, item: unknown): void {
    const meta = itemMeta(index)
    const { bytes, flags } = this.#parts.values.encode(item, HEADER_BYTES + meta.length)
    writeHeader(bytes, 0, FRAME.said, flags, invocation.id, bytes.length - HEADER_BYTES, meta.length)
    writeText(bytes, HEADER_BYTES, meta, meta.length)
    this.#parts.connection.post(bytes)
  }
}

interface ProducerParts {
  readonly say: (index: number, item: unknown) => void
  readonly began: () => void
  readonly resume: (then: () => void) => void
}

/** Takes the items out of a generator, a window of them ahead of whoever takes them. */
class Producer {
  readonly #parts: ProducerParts
  #said = 0
  #taken = 0
  #hasStopped = false
  #goOn: (() => void) | undefined

  constructor(parts: ProducerParts) {
    this.#parts = parts
  }

  async run(items: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
    while (!this.#hasStopped) {
      const next = await items.next()
      if (next.done === true) return
      // Of a generator that is not asynchronous, an item may be a promise.
      const item: unknown = await next.value
      if (this.#isStopped()) break
      this.#parts.say(this.#said, item)
      this.#said += 1
      if (this.#said - this.#taken >= STREAM_WINDOW) await this.#untilTaken()
    }
    await items.return?.()
  }

  taken(count: number): void {
    this.#taken += count
    if (this.#said - this.#taken < STREAM_WINDOW) this.#wake()
  }

  stop(): void {
    this.#hasStopped = true
    this.#wake()
  }

  /** It may have changed while an item was waited for. */
  #isStopped(): boolean {
    return this.#hasStopped
  }

  #untilTaken(): Promise<void> {
    this.#parts.began()
    return new Promise((resolve) => (this.#goOn = resolve))
  }

  #wake(): void {
    const goOn = this.#goOn
    if (goOn === undefined) return
    this.#goOn = undefined
    this.#parts.resume(goOn)
  }
}

/** What a generator that was called yields; undefined for any other result. */
function itemsOf(result: unknown): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (types.isGeneratorObject(result)) return result as unknown as AsyncIterator<unknown> // of either kind
  const isItems = Symbol.asyncIterator in result && !(result instanceof ObjectRef)
  return isItems ? (result as AsyncIterable<unknown>)[Symbol.asyncIterator]() : undefined
}

const neverSettles = (name: string): Error =>
  new Error(`Task "${name}" waits for what can never come: nothing is left that could settle its promise.`)

/** The tasks among a package's exports, each told its name. */
export function findTasks(exports: Readonly<Record<string, unknown>>): Map<string, DeclaredTask> {
  const found = new Map<string, DeclaredTask>()
  for (const [name, value] of Object.entries(exports)) {
    const task = Task.declared(value)
    if (task === undefined) continue
    task.exportName ??= name
    found.set(name, task)
  }
  return found
}
