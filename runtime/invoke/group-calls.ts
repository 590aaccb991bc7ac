import type { Environment } from '../environments/environment.ts'
import { FLAG } from '../environments/frames.ts'
import { EngineError } from '../errors.ts'
import type { ObjectTable } from '../objects/object-table.ts'
import type { GroupDesk } from '../scheduler/group-desk.ts'
import { isUnnamed, readGroupWish, type GroupWish } from '../scheduler/group-wish.ts'
import type { GroupView } from '../scheduler/placement-group.ts'
import type { Scope } from '../store/journal.ts'
import { holdingsOf, invocationOf, type CodeHoldings } from './holdings.ts'
import type { Requests } from './requests.ts'
import { refusalFailure, type EncodeFailure } from './task-errors.ts'

/** What requests about placement groups are served with. */
export interface GroupCallParts {
  readonly requests: Pick<Requests, 'on'>
  readonly desk: GroupDesk
  readonly objects: ObjectTable
  readonly encode: EncodeFailure
}

/** Wishes that were read before, by their text: programs make the same group again and again. */
const MAX_KNOWN = 256

/**
 * Serves `group`: run, verb and a JSON object that names the group. A group without a name of its own ends
 * with the invocation whose code made it, or with the process when that was outside of any.
 */
export function serveGroups({ requests, desk, objects, encode }: GroupCallParts): void {
  const calls = new GroupCalls(desk)
  const fail = (environment: Environment, id: number, error: unknown): void => {
    if (!(error instanceof EngineError)) throw error
    environment.connection?.answer(id, FLAG.error, encode(refusalFailure(error)))
  }
  requests.on('group', ({ environment, id, fields, payload }) => {
    const [run, verb = '', text = payload.toString('utf8')] = fields
    if (environment.version === undefined) return
    const { scope } = environment.version
    const holdings = holdingsOf(objects, environment, invocationOf(environment, run))
    try {
      const outcome = calls.serve(scope, verb, text, holdings)
      if (!(outcome instanceof Promise)) return answer(environment, id, outcome)
      outcome.then(
        (view) => answer(environment, id, view),
        (error: unknown) => fail(environment, id, error),
      )
    } catch (error) {
      fail(environment, id, error)
    }
  })
}

/** What the code asks of a group; the answer is the group as it stands. */
class GroupCalls {
  readonly #desk: GroupDesk
  readonly #known = new Map<string, GroupWish>()
  /** Those whose groups end with them. */
  readonly #owners = new WeakSet<CodeHoldings>()

  constructor(desk: GroupDesk) {
    this.#desk = desk
  }

  serve(scope: Scope, verb: string, text: string, holdings: CodeHoldings): GroupView | Promise<GroupView> {
    const body = readBody(text)
    const { name = '' } = body
    switch (verb) {
      case 'create':
        return this.#create(scope, body, holdings)
      case 'ready':
        return this.#ready(scope, body, holdings)
      case 'remove':
        return this.#desk.remove(scope, name)
      case 'state':
        return this.#desk.find(scope, name) ?? { name, state: 'removed', strategy: 'PACK', bundles: [] }
      case 'get':
        return this.#desk.get(scope, name)
      default:
        throw new RangeError(`Nobody can "${verb}" a placement group.`)
    }
  }

  #create(scope: Scope, body: Body, holdings: CodeHoldings): GroupView | Promise<GroupView> {
    const { name, ...wish } = body
    if (name !== undefined && !isUnnamed(name)) return this.#desk.create(scope, body)
    if (holdings.hasEnded) throw new EngineError('unavailable', 'What asks for the group has ended.')
    if (!this.#owners.has(holdings)) {
      this.#owners.add(holdings)
      holdings.streams.add({ end: () => this.#desk.ownerEnded(holdings) })
    }
    return this.#desk.createUnnamed(scope, this.#read(wish), { name, owner: holdings })
  }

  async #ready(scope: Scope, { name = '', timeoutMs }: Body, holdings: CodeHoldings): Promise<GroupView> {
    const ended = new AbortController()
    const ending = { end: () => ended.abort(new EngineError('unavailable', 'What waits has ended.')) }
    holdings.streams.add(ending)
    try {
      return await this.#desk.ready(scope, name, { timeoutMs: timeoutMs ?? null, signal: ended.signal })
    } finally {
      holdings.streams.delete(ending)
    }
  }

  #read(wish: object): GroupWish {
    const text = JSON.stringify(wish)
    const before = this.#known.get(text)
    if (before !== undefined) return before
    const read = readGroupWish(wish)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(text, read)
    return read
  }
}

const answer = (environment: Environment, id: number, view: GroupView): void =>
  environment.connection?.answer(id, 0, Buffer.from(JSON.stringify(view)))

interface Body {
  readonly name?: string
  readonly timeoutMs?: number | null
  readonly [member: string]: unknown
}

/**
 * Throws a RangeError for what is no JSON, EngineError 'invalid' for members that are not what they should
 * be.
 */
function readBody(text: string): Body {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RangeError('What is said of a placement group is JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new EngineError('invalid', 'What is said of a placement group is an object.')
  const { name, timeoutMs } = value as Readonly<Record<string, unknown>>
  if (name !== undefined && typeof name !== 'string')
    throw new EngineError('invalid', `name is ${JSON.stringify(name)}: it is text.`)
  if (timeoutMs !== undefined && timeoutMs !== null && !(typeof timeoutMs === 'number' && timeoutMs >= 0))
    throw new EngineError('invalid', `timeoutMs is ${JSON.stringify(timeoutMs)}: it is milliseconds.`)
  return value as Body // as checked
}
