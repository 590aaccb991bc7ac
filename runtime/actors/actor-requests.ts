import type { ActorRequestOptions } from '../environments/actor-messages.ts'
import { refsOf } from '../environments/call-payload.ts'
import type { Environment } from '../environments/environment.ts'
import { FLAG } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import { EngineError } from '../errors.ts'
import { hand, holdingsOf, invocationOf, type CodeHoldings, type Ending } from '../invoke/holdings.ts'
import type { Request, Requests } from '../invoke/requests.ts'
import { refIdOf } from '../invoke/task-calls.ts'
import type { ObjectEntry, ObjectTable } from '../objects/object-table.ts'
import type { ActorCall, CallRequest, CallSink } from './actor-call.ts'
import { callIn, type ActorDirectory } from './directory.ts'

/** What serving calls of actors from inside processes takes. */
export interface ActorRequestParts {
  readonly directory: ActorDirectory
  readonly objects: ObjectTable
  readonly requests: Pick<Requests, 'on'>
  readonly encodeError: (error: EngineError) => Buffer
}

/** Texts of options that are remembered. Those with keys differ each time and are not. */
const MAX_OPTIONS = 1000
const NO_OPTIONS: ActorRequestOptions = {}

/** Serves what code in processes asks of actors. */
export class ActorRequests {
  readonly #parts: ActorRequestParts
  readonly #options = new Map<string, ActorRequestOptions>()

  constructor(parts: ActorRequestParts) {
    this.#parts = parts
    parts.requests.on('actor', (request) => this.#call(request))
    parts.requests.on('actor-cancel', (request) => this.#cancel(request))
  }

  /** A streaming call that a process reads. */
  streamOf(environment: Environment, id: number): CallStream | undefined {
    const holder = this.#callOf(environment, id)?.request.sink
    return holder instanceof CallerSink ? holder.stream : undefined
  }

  #call({ environment, id, flags, fields, payload }: Request): void {
    const [
      run,
      functionText = '',
      className = '',
      encodedKey = '',
      method = '',
      text = '',
      callNumber = '0',
      topRefs = '',
    ] = fields
    const { version } = environment
    if (version === undefined) throw new RangeError('A process without code calls an actor.')
    const { objects, directory, encodeError } = this.#parts
    try {
      const options = this.#read(text)
      const invocation = invocationOf(environment, run)
      const ref =
        options.ref === true
          ? objects.create(
              refIdOf(environment, id),
              holdingsOf(objects, environment, invocation).refs,
              environment.version?.scope.account,
            )
          : undefined
      const sink = new CallerSink({ environment, id, objects, invocation, ref, encodeError })
      if (flags & FLAG.error) return sink.answered(FLAG.error, payload) // there was no room for its arguments
      const args = this.#handOver(flags & FLAG.object, payload, topRefs)
      const request: CallRequest = {
        kind: 'method',
        name: method,
        args: payload,
        flags: flags & FLAG.object,
        parent: callIn(invocation, Number(callNumber)),
        detached: options.ref,
        idempotencyKey: options.idempotencyKey,
        retries: options.retries,
        timeoutMs: options.timeoutMs,
        refs: args,
        sink,
      }
      const name = functionText === '' ? version.functionName : (functionText.split(':')[0] ?? '')
      const call = directory.callEncoded(version.scope, name, className, encodedKey, request)
      sink.call = call
      if (ref !== undefined) ref.producer = { cancel: () => directory.cancel(call) }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      if (id !== 0) environment.connection?.answer(id, FLAG.error, encodeError(error))
    }
  }

  /** The caller of the request with this number waits no longer. */
  #cancel({ environment, fields }: Request): void {
    const call = this.#callOf(environment, Number(fields[0]))
    if (call !== undefined) this.#parts.directory.cancel(call)
  }

  #callOf(environment: Environment, id: number): ActorCall | undefined {
    for (const actor of this.#parts.directory.all())
      for (const call of actor.calls()) {
        const { sink } = call.request
        if (sink instanceof CallerSink && sink.isFor(environment, id)) return call
      }
    return undefined
  }

  /**
   * Refs among the arguments (`topRefs`), and arguments that are large themselves, live as long as the call
   * may be made again; refs inside of arguments from then on with the activation that got them.
   */
  #handOver(flags: number, payload: Buffer, topRefs: string): CallRequest['refs'] {
    const { objects } = this.#parts
    const isLarge = flags !== 0
    if (!isLarge && (payload.length < 4 || payload.readUInt32LE(0) === 0)) return undefined
    objects.keep(flags, payload)
    const refIds = isLarge ? objects.refsIn(payload) : refsOf(payload)
    const entries = refIds.flatMap((refId) => objects.find(refId) ?? [])
    if (entries.length === 0 && !isLarge) return undefined
    const top = new Set(topRefs.split(',').map((one) => one.slice(one.indexOf(':') + 1)))
    const lasting = entries.filter(({ id }) => !top.has(id))
    let isKept = isLarge
    for (const entry of entries) objects.pin(entry)
    return {
      handTo: (invocation) => {
        if (lasting.length === 0) return
        const environment = invocation.host as unknown as Environment // whatever hosts one is its environment
        const { refs } = holdingsOf(objects, environment, invocation)
        for (const entry of lasting) refs.hold(entry)
      },
      end: () => {
        for (const entry of entries.splice(0)) objects.unpin(entry)
        if (isKept) objects.letGo(flags, payload)
        isKept = false
      },
    }
  }

  #read(text: string): ActorRequestOptions {
    if (text === '') return NO_OPTIONS
    const known = this.#options.get(text)
    if (known !== undefined) return known
    const options = parse(text)
    if (options.idempotencyKey === undefined) {
      if (this.#options.size >= MAX_OPTIONS) this.#options.clear()
      this.#options.set(text, options)
    }
    return options
  }
}

/** The process whose code called: it gets the answer under the number of its request. */
class CallerSink implements CallSink {
  /** Set once there is one. */
  call: ActorCall | undefined
  stream: CallStream | undefined
  readonly #environment: Environment
  readonly #id: number
  readonly #objects: ObjectTable
  readonly #invocation: Invocation | undefined
  /** Where the result is kept for whoever asks for it; undefined: only the caller wants it. */
  readonly #ref: ObjectEntry | undefined
  readonly #encodeError: (error: EngineError) => Buffer

  constructor(options: {
    environment: Environment
    id: number
    objects: ObjectTable
    invocation: Invocation | undefined
    ref: ObjectEntry | undefined
    encodeError: (error: EngineError) => Buffer
  }) {
    this.#environment = options.environment
    this.#id = options.id
    this.#objects = options.objects
    this.#invocation = options.invocation
    this.#ref = options.ref
    this.#encodeError = options.encodeError
    const { ref } = options
    if (ref !== undefined && options.id !== 0)
      ref.whenSettled({ settled: (entry) => hand(this.#environment, this.#id, entry, this.#holdings()) })
  }

  isFor(environment: Environment, id: number): boolean {
    return this.#environment === environment && this.#id === id
  }

  answered(flags: number, body: Buffer): void {
    this.stream?.end()
    const isValue = (flags & (FLAG.error | FLAG.object)) === 0
    const holdsRefs = isValue && body.length >= 4 && body.readUInt32LE(0) > 0
    if (this.#ref !== undefined) {
      const kept = Buffer.from(body) // not with the chunk that it came in
      if ((flags & FLAG.error) !== 0) this.#objects.reject(this.#ref, kept)
      else this.#objects.resolve(this.#ref, flags & FLAG.object, kept, holdsRefs ? refsOf(body) : [])
      return
    }
    if (this.#id === 0) return
    if (holdsRefs) this.#hold(refsOf(body))
    this.#environment.connection?.answer(this.#id, flags & (FLAG.error | FLAG.object), body)
  }

  failed(error: EngineError): void {
    this.answered(FLAG.error, this.#encodeError(error))
  }

  item(flags: number, _index: number, body: Buffer): void {
    const { call } = this
    if (call === undefined || this.#id === 0) return
    if (this.stream === undefined) {
      this.stream = new CallStream(call)
      this.#holdings()?.streams.add(this.stream)
    }
    if (this.#environment.state === 'stopped') return this.stream.stop()
    if ((flags & FLAG.object) === 0 && body.length >= 4 && body.readUInt32LE(0) > 0) this.#hold(refsOf(body))
    this.#environment.connection?.answer(this.#id, FLAG.streaming | (flags & FLAG.object), body)
  }

  /** Whoever gets a value holds the refs in it. */
  #hold(refIds: readonly string[]): void {
    const holdings = this.#holdings()
    if (holdings === undefined) return
    for (const refId of refIds) {
      const entry = this.#objects.find(refId)
      if (entry !== undefined) holdings.refs.hold(entry)
    }
  }

  #holdings(): CodeHoldings | undefined {
    if (this.#environment.state === 'stopped' || this.#invocation?.state === 'ended') return undefined
    return holdingsOf(this.#objects, this.#environment, this.#invocation)
  }
}

/** The items of one streaming call: how far whoever reads has come. */
export class CallStream implements Ending {
  readonly #call: ActorCall

  constructor(call: ActorCall) {
    this.#call = call
  }

  take(count: number): void {
    this.#call.actor.activation?.taken(this.#call, count)
  }

  /** Whoever reads has enough. */
  stop(): void {
    this.#call.actor.activation?.abort(this.#call)
  }

  end(): void {
    if (this.#call.state === 'sent') this.stop()
  }
}

function parse(text: string): ActorRequestOptions {
  let value: Partial<ActorRequestOptions> | null
  try {
    value = JSON.parse(text) as Partial<ActorRequestOptions> | null // checked below
  } catch (error) {
    throw new RangeError('The options of a call are no JSON.', { cause: error })
  }
  if (typeof value !== 'object' || value === null)
    throw new RangeError('The options of a call are no object.')
  const { timeoutMs, idempotencyKey, retries, ref } = value
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs: whole('timeout', timeoutMs) }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey: keyOf(idempotencyKey) }),
    ...(retries === undefined ? {} : { retries: whole('retries', retries) }),
    ...(ref === true ? { ref } : {}),
  }
}

const MAX_KEY_BYTES = 512

/** Throws EngineError 'invalid' for what is no idempotency key. */
export function keyOf(given: unknown): string {
  if (typeof given === 'string' && given !== '' && Buffer.byteLength(given) <= MAX_KEY_BYTES) return given
  throw new EngineError('invalid', `An idempotency key is a text of 1 to ${MAX_KEY_BYTES} bytes.`)
}

function whole(name: string, given: unknown): number {
  if (typeof given === 'number' && given >= 0 && given <= Number.MAX_SAFE_INTEGER) return Math.ceil(given)
  throw new EngineError('invalid', `Option ${name} of a call is ${JSON.stringify(given)}: it takes a number.`)
}
