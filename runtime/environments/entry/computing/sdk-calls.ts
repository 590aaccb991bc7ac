import { UnsupportedValue } from '../../../sdk/errors.ts'
import { ObjectRef } from '../../../sdk/object-ref.ts'
import type { GroupHost, GroupVerb, Patience } from '../../../sdk/placement-group.ts'
import type { TaskCall, TaskHost } from '../../../sdk/task.ts'
import { FLAG } from '../../frames.ts'
import { roomFor, type Asking } from './calls.ts'
import { RefCell, type CellHome } from './ref-cell.ts'
import { cellOf, getValue, waitFor, type WaitOptions } from './waits.ts'

/** An activation of an actor lasts: what its code makes is let go when nothing refers to it any more. */
const forgotten = new FinalizationRegistry<{ release(): void; id: string }>((ref) => ref.release())

/** What the SDK's functions of one process ask the engine for. */
export class SdkCalls implements TaskHost, GroupHost {
  readonly #home: CellHome
  readonly #refPrefix: string
  #groups = 0
  /** Refs that came inside of values so far. */
  refsSeen = 0

  constructor(home: CellHome, refPrefix: string) {
    this.#home = home
    this.#refPrefix = refPrefix
  }

  /** Starts a task. Throws LimitReached, UnsupportedValue. */
  submit(call: TaskCall, args: unknown[]): ObjectRef {
    const { calls, values } = this.#home
    const cell = this.#newCell(`the result of task "${call.exportName}"`)
    const topRefs = topRefsOf(args)
    const meta = `task\n${this.#run()}\n${call.functionName}\n${call.exportName}\n${call.options}\n${topRefs}`
    const room = roomFor(meta)
    const encoded = measureArguments(this.#home, args, room)
    if (values.isLarge(encoded)) return this.#submitLarge(call, args)
    cell.taskNumber = calls.askPacked(meta, values.pack(encoded, room), cell)
    return this.#begun(cell, cell.taskNumber)
  }

  /**
   * Calls an actor; `meta` says which and how. The ref is kept until it is released when `isKept`; otherwise
   * it is for this process alone, and ends with its value. Throws LimitReached, UnsupportedValue.
   */
  submitCall(meta: string, args: unknown[], what: string, isKept = false): ObjectRef {
    const { calls, values } = this.#home
    const cell = this.#newCell(what)
    const room = roomFor(meta)
    const packed = values.pack(measureArguments(this.#home, args, room), room)
    const number = calls.askPacked(meta, packed, cell)
    if (isKept) return this.#begun(cell, number)
    cell.id = `${this.#refPrefix}-${number}`
    return new ObjectRef(cell)
  }

  /** The value of one ref, or of several. */
  async get(target: unknown, options?: WaitOptions): Promise<unknown> {
    try {
      return await getValue(this.#home, target, options)
    } catch (error) {
      throw withOwnStack(error)
    }
  }

  wait(
    refs: readonly ObjectRef[],
    options: WaitOptions & { count?: number } = {},
  ): Promise<{ ready: ObjectRef[]; pending: ObjectRef[] }> {
    return waitFor(this.#home, refs, options)
  }

  /** Resolves when the value is stored. */
  async put(value: unknown): Promise<ObjectRef> {
    if (value instanceof ObjectRef) throw new TypeError('put takes a value; a ref is one already.')
    const made = this.#store(value)
    try {
      await made.stored
    } catch (error) {
      throw withOwnStack(error)
    }
    return made.ref
  }

  async cancel(
    ref: unknown,
    { force = false, recursive = true }: { force?: boolean; recursive?: boolean } = {},
  ): Promise<void> {
    await this.request(`cancel\n${cellOf(ref).id}\n${force ? 1 : 0}\n${recursive ? 1 : 0}`)
  }

  /** Asks for something whose answer is no ref's: the bytes of it. */
  request(meta: string): Promise<Buffer> {
    const { calls, values } = this.#home
    return new Promise((resolve, reject) => {
      calls.ask(meta, {
        answered: (flags, body) => {
          if (flags & FLAG.error)
            reject(values.decodeError(body) as Error) // an engine's refusal is one
          else resolve(Buffer.from(body))
        },
      })
    })
  }

  newName(): string {
    this.#groups += 1
    return `pg-${this.#refPrefix}-${this.#groups}` // the engine ends groups of such names with who made them
  }

  async ask(verb: GroupVerb, body: object, options?: Patience): Promise<unknown> {
    const meta = `group\n${this.#run()}\n${verb}\n${JSON.stringify(body)}`
    // It always has one.
    const waiting = new GroupAnswer(`placement group "${(body as { name: string }).name}"`)
    const cell = new RefCell(this.#home, '', waiting.what, 'pending')
    this.#home.calls.ask(meta, waiting.for(cell))
    await getValue(this.#home, new ObjectRef(cell), options)
    return waiting.text === '' ? undefined : JSON.parse(waiting.text)
  }

  /** A ref that came inside of a value. */
  refOf(id: string): RefCell {
    this.refsSeen += 1
    if (id.startsWith(this.#refPrefix)) {
      const own = this.#home.calls.pending(Number(id.slice(this.#refPrefix.length + 1)))
      if (own instanceof RefCell) return own
    }
    return new RefCell(this.#home, id, '', 'unasked')
  }

  /**
   * The arguments of a call of an actor with values in place of those that are refs; `seen`: how many refs
   * are in them, at any depth. As long as the call runs, the engine keeps the refs among the arguments.
   */
  withValues(args: unknown[], seen: number, signal: AbortSignal): unknown[] | Promise<unknown[]> {
    const given = args.filter((arg) => arg instanceof ObjectRef)
    if (given.length === 0) return args
    // Another one inside of an argument may be the same, and the actor may keep that.
    const isKept = given.length === seen
    const refs = given.map(({ id }) => {
      const cell = new RefCell(this.#home, id, '', 'unasked')
      cell.isKept = isKept
      return new ObjectRef(cell)
    })
    const waiting = Promise.resolve(getValue(this.#home, refs, { signal })) as Promise<unknown[]> // of a list
    return waiting.then((values) => {
      const inOrder = values.values()
      return args.map((arg) => (arg instanceof ObjectRef ? inOrder.next().value : arg))
    })
  }

  #run(): number {
    return this.#home.current()?.id ?? 0
  }

  #newCell(what: string): RefCell {
    return new RefCell(this.#home, '', what, 'pending')
  }

  /** The request that makes the cell's value has been sent. */
  #begun(cell: RefCell, number: number): ObjectRef {
    cell.id = `${this.#refPrefix}-${number}`
    const ref = new ObjectRef(cell)
    // Others end with their invocation, and the engine knows when that is.
    const target = this.#home.current()?.meta.target
    if (target === undefined ? this.#home.current() === undefined : target.startsWith('actor/'))
      forgotten.register(ref, cell)
    return ref
  }

  /** Arguments that are too large for a frame become objects, which the task holds. */
  #submitLarge(call: TaskCall, args: unknown[]): ObjectRef {
    const { values } = this.#home
    const stored: ObjectRef[] = []
    const passed = args.map((arg) => {
      if (arg instanceof ObjectRef || !values.isLarge(values.measure(arg, 0))) return arg
      const { ref, stored: done } = this.#store(arg)
      // The task fails with what went wrong.
      done.catch(() => undefined)
      stored.push(ref)
      return ref
    })
    if (stored.length === 0)
      throw new UnsupportedValue('The arguments of a task are too large in all: put some of them first.', '')
    const result = this.submit(call, passed)
    for (const ref of stored) ref.release()
    return result
  }

  #store(value: unknown): { ref: ObjectRef; stored: Promise<void> } {
    const { calls, values } = this.#home
    const cell = this.#newCell('a value that was put')
    const meta = `put\n${this.#run()}`
    const packed = values.encode(value, roomFor(meta))
    const kept = Buffer.from(packed.bytes.subarray(roomFor(meta)))
    const isSmall = packed.flags === 0
    let asking: Asking = cell
    const stored = new Promise<void>((resolve, reject) => {
      asking = {
        answered: (flags, body) => {
          if (flags & FLAG.error) {
            cell.settle(flags, Buffer.from(body))
            return reject(values.decodeError(body) as Error) // an engine's refusal is one
          }
          // What lies elsewhere belongs to the engine from now on: it is asked for when somebody wants it.
          if (isSmall) cell.settle(0, kept)
          else cell.forget()
          resolve()
        },
      }
    })
    return { ref: this.#begun(cell, calls.askPacked(meta, packed, asking)), stored }
  }
}

/** `index:id` of each argument that is a ref. */
export function topRefsOf(args: readonly unknown[]): string {
  let text = ''
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]
    if (arg instanceof ObjectRef) text += `${text === '' ? '' : ','}${index}:${arg.id}`
  }
  return text
}

function measureArguments(
  { values }: CellHome,
  args: unknown[],
  room: number,
): ReturnType<CellHome['values']['measure']> {
  try {
    return values.measure(args, room)
  } catch (error) {
    if (error instanceof UnsupportedValue)
      throw new UnsupportedValue(`Argument ${error.path}: ${error.message}`, error.path)
    throw error
  }
}

/** The text of an answer about a group, on its way through a cell that is waited for. */
class GroupAnswer {
  readonly what: string
  text = ''

  constructor(what: string) {
    this.what = what
  }

  for(cell: RefCell): Asking {
    return {
      answered: (flags, body) => {
        if (flags & FLAG.error) return cell.settle(flags, Buffer.from(body))
        this.text = body.toString('utf8')
        cell.settle(0, Buffer.alloc(0))
      },
    }
  }
}

/**
 * An error of elsewhere says where it was thrown; behind that, who waited for it here. Made only when there
 * is an
 * error: the callers of an async function are still known when it goes on.
 */
function withOwnStack(error: unknown): unknown {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return error
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, withOwnStack)
  const frames = (holder.stack ?? '')
    .split('\n')
    .slice(1)
    .filter((line) => !line.includes('(node:') && (HERE === undefined || !line.includes(HERE)))
  if (frames.length === 0 || error.stack.includes(WAITED)) return error
  try {
    error.stack = `${error.stack}\n${WAITED}\n${frames.join('\n')}`
  } catch {
    // A frozen error stays as it is.
  }
  return error
}

/** The program that this is a part of. */
const HERE = typeof __filename === 'string' ? __filename : undefined
const WAITED = '    -- which was waited for --'
