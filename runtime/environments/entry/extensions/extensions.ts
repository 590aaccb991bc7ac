import { strict as assert } from 'node:assert'
import { forbidden, malformed, type Refusal } from './refusal.ts'

/** What an extension can be told of. */
export type ExtensionEventType = 'INVOKE' | 'SHUTDOWN'

/** An event as an extension receives it. */
export interface ExtensionEvent {
  readonly eventType: ExtensionEventType
  readonly [field: string]: unknown
}

/** Why an environment ends, in the words of the Extensions API. */
export type ShutdownReason = 'spindown' | 'timeout' | 'failure'

/**
 * `launched` is an external extension whose process runs and has not registered; `ready` waits for an event;
 * `running` has been given one and has not asked for the next; `failed` reported an error or is gone.
 */
export type ExtensionState = 'launched' | 'registered' | 'ready' | 'running' | 'failed'

const TRANSITIONS: Record<ExtensionState, readonly ExtensionState[]> = {
  launched: ['registered', 'failed'],
  registered: ['ready', 'failed'],
  ready: ['running', 'failed'],
  running: ['ready', 'failed'],
  failed: [],
}

/** Takes an event to whoever polls for it. */
export type Deliver = (event: ExtensionEvent) => void

/** One extension of an environment. */
export interface Extension {
  readonly name: string
  /** An executable of /opt/extensions; an internal one runs inside the runtime's process. */
  readonly external: boolean
  /** What it is known by once it has registered; '' before. */
  readonly identifier: string
  readonly events: readonly ExtensionEventType[]
  readonly state: ExtensionState
}

/** A request to register. */
export interface Registration {
  /** Undefined when the header is missing. */
  readonly name: string | undefined
  /** The parsed body; undefined when it is not JSON. */
  readonly body: unknown
}

/** More than these are refused. */
export const MAX_EXTENSIONS = 10
const EVENT_TYPES: readonly string[] = ['INVOKE', 'SHUTDOWN']
const IDENTIFIER = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

interface Member {
  readonly name: string
  readonly external: boolean
  identifier: string
  events: readonly ExtensionEventType[]
  state: ExtensionState
  /** Whoever polls for the next event. */
  reader: Deliver | undefined
  /** An event that nobody has read yet. */
  unread: ExtensionEvent | undefined
}

/**
 * The extensions of one environment: who they are, what each is told, and when all of them have asked for the
 * next event.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export class Extensions {
  readonly #members: Member[] = []
  readonly #identifiers: () => string
  readonly #concurrent: boolean
  readonly #onChange: () => void
  #closed = false

  /**
   * `identifiers` makes a new UUID each time. Where invocations run at once (`concurrent`) nobody can be told
   * of each. `onChange` is called after every change of a state.
   */
  constructor(options: { identifiers: () => string; concurrent: boolean; onChange: () => void }) {
    this.#identifiers = options.identifiers
    this.#concurrent = options.concurrent
    this.#onChange = options.onChange
  }

  get all(): readonly Extension[] {
    return this.#members
  }
  /** Whether every external extension has registered. */
  get registered(): boolean {
    return this.#members.every((one) => one.state !== 'launched')
  }
  /** Whether every extension waits for its next event. */
  get ready(): boolean {
    return this.#members.every((one) => one.state === 'ready')
  }

  /** The process of an external extension has been started. */
  launched(name: string): void {
    this.#members.push({
      name,
      external: true,
      identifier: '',
      events: [],
      state: 'launched',
      reader: undefined,
      unread: undefined,
    })
  }

  /** Init is over: nobody registers any more. */
  closeRegistration(): void {
    this.#closed = true
  }

  /** Registers the launched extension of that name, or an internal one. */
  register({ name, body }: Registration): Extension | Refusal {
    if (name === undefined || name === '')
      return forbidden('InvalidExtensionName', 'Empty extension name in the Lambda-Extension-Name header')
    if (this.#closed) return forbidden('RegistrationClosed', 'Extension registration closed already')
    const launched = this.#members.find((one) => one.name === name)
    if (launched !== undefined && launched.state !== 'launched')
      return forbidden('AlreadyRegistered', `Extension with the name ${name} is registered already`)
    const external = launched !== undefined
    const events = eventsOf(body, { external, concurrent: this.#concurrent })
    if ('status' in events) return events
    const registered = this.#members.filter((one) => one.state !== 'launched')
    if (registered.length >= MAX_EXTENSIONS)
      return forbidden('TooManyExtensions', `Extension limit (${MAX_EXTENSIONS}) reached`)
    const member: Member = launched ?? {
      name,
      external,
      identifier: '',
      events: [],
      state: 'launched',
      reader: undefined,
      unread: undefined,
    }
    if (launched === undefined) this.#members.push(member)
    member.identifier = this.#identifiers()
    member.events = events
    this.#move(member, 'registered')
    return member
  }

  /** The extension that a request comes from. */
  identify(identifier: string | undefined): Extension | Refusal {
    return this.#identify(identifier)
  }

  /**
   * Asks for the next event; `deliver` gets it, at once or later. Returns a refusal, or what takes the
   * question back when whoever asked is gone.
   */
  next(identifier: string | undefined, deliver: Deliver): Refusal | (() => void) {
    const member = this.#identify(identifier)
    if ('status' in member) return member
    const giveUp = (): void => {
      if (member.reader === deliver) member.reader = undefined
    }
    if (member.state === 'failed' || member.reader !== undefined)
      return invalidState(member, member.reader === undefined ? 'fetch events' : 'fetch events twice at once')
    if (member.unread !== undefined) {
      const { unread } = member
      member.unread = undefined
      deliver(unread)
      return giveUp
    }
    member.reader = deliver
    if (member.state !== 'ready') this.#move(member, 'ready')
    return giveUp
  }

  /** An extension says that it cannot go on, while it initialises or later. */
  reportError(
    identifier: string | undefined,
    phase: 'init' | 'exit',
    errorType: string | undefined,
  ): Extension | Refusal {
    const member = this.#identify(identifier)
    if ('status' in member) return member
    if (errorType === undefined || errorType === '')
      return forbidden('MissingHeader', 'Lambda-Extension-Function-Error-Type header is missing')
    const allowed = phase === 'init' ? member.state === 'registered' : member.state !== 'failed'
    if (!allowed) return invalidState(member, `report an ${phase} error`)
    this.#move(member, 'failed')
    return member
  }

  /** The process of an external extension is gone. Returns it unless it had failed before. */
  exited(name: string): Extension | undefined {
    const member = this.#members.find((one) => one.external && one.name === name)
    if (member === undefined || member.state === 'failed') return undefined
    this.#move(member, 'failed')
    return member
  }

  /** Tells everybody who asked to be told of invocations; they are busy until they ask for the next event. */
  invoked(event: ExtensionEvent): void {
    this.#tell(event)
  }

  /** Tells everybody who asked to be told of the end, and returns them. */
  shutDown(event: ExtensionEvent): readonly Extension[] {
    this.#closed = true
    return this.#tell(event)
  }

  #tell(event: ExtensionEvent): readonly Extension[] {
    const told = this.#members.filter(
      (one) => one.state !== 'failed' && one.state !== 'launched' && one.events.includes(event.eventType),
    )
    for (const member of told) {
      const { reader } = member
      member.reader = undefined
      if (member.state === 'ready') member.state = successor(member.state, 'running')
      if (reader === undefined) member.unread = event
      else reader(event)
    }
    this.#onChange()
    return told
  }

  #identify(identifier: string | undefined): Member | Refusal {
    if (identifier === undefined || identifier === '')
      return forbidden('MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header')
    if (!IDENTIFIER.test(identifier))
      return forbidden('InvalidExtensionIdentifier', 'Invalid Lambda-Extension-Identifier')
    const member = this.#members.find((one) => one.identifier === identifier.toLowerCase())
    return (
      member ?? forbidden('UnknownExtensionIdentifier', `Unknown Lambda-Extension-Identifier ${identifier}`)
    )
  }

  #move(member: Member, next: ExtensionState): void {
    member.state = successor(member.state, next)
    this.#onChange()
  }
}

function successor(current: ExtensionState, next: ExtensionState): ExtensionState {
  assert(TRANSITIONS[current].includes(next), `extension cannot go ${current} -> ${next}`)
  return next
}

const invalidState = (member: Member, wish: string): Refusal =>
  forbidden('InvalidExtensionState', `Extension ${member.name} cannot ${wish} in the state ${member.state}`)

/** The event types that a registration asks for; each once. */
function eventsOf(
  body: unknown,
  { external, concurrent }: { external: boolean; concurrent: boolean },
): ExtensionEventType[] | Refusal {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return malformed('The body of a registration is a JSON object')
  const { events = [] } = body as { events?: unknown } // looked at below
  if (!Array.isArray(events)) return malformed('events is a list of event types')
  for (const event of events) {
    if (typeof event !== 'string' || !EVENT_TYPES.includes(event))
      return forbidden('InvalidEventType', `${String(event)}: invalid event type`)
    if (event === 'SHUTDOWN' && !external)
      return forbidden('InvalidEventType', 'SHUTDOWN: event type not supported for internal extensions')
    if (event === 'INVOKE' && concurrent)
      return forbidden('InvalidEventType', 'INVOKE: event type not supported where invocations run at once')
  }
  return [...new Set(events as ExtensionEventType[])] // checked one by one
}
