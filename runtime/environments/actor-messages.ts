/**
 * What the engine and one activation of an actor tell each other while it is awake. The activation is an
 * invocation with the target `actor/<Class>/<key>`; its payload is an `ActivationStart` (packActivation).
 * Both sides use this file. Meta lines are joined by line feeds.
 *
 * engine -> activation, `message` frames:
 *
 *     call <id> <kind> <mode> <outer> <flags> <name>   payload: what is called with; see `CallMessage`
 *     abort <id>                the caller of a call waits no longer: its signal aborts, it may go on
 *     taken <id> <count>        so many more items of a streaming call were taken
 *     rows <n>                  payload: packRows; answers `read` and `list`
 *     alarms <n>                payload: JSON, AlarmRow[]; answers `alarms`
 *     done <n>                  what `flush` wrote is on disk
 *     failed <n>                payload: why a question was not answered or a flush not written, UTF-8
 *     stop                      no call runs and none will come: run stop(), then end the invocation
 *
 * activation -> engine, `said` frames:
 *
 *     awake                     start() has ended well; calls that came before begin behind it
 *     reply <id> <writesBytes>  payload: writes (packWrites), then the result: a value; FLAG.error: an error,
 *                               and no writes; FLAG.object: a location. Exclusive calls reply in order
 *     item <id> <index>         payload: one item of a streaming call; FLAG.object: a location
 *     read <n>                  payload: packKeys; entries of storage that the cache does not hold
 *     list <n>                  payload: JSON, StorageRangeQuery
 *     alarms <n>                which alarms are set
 *     flush <n> <id>            payload: writes that call <id> made so far, to be committed now
 *     socket <id> <verb>        payload: for a client's connection; verbs belong to whoever serves it
 *
 * The invocation ends with a `result` frame: after `stop`, and when the actor ends itself, the payload is
 * what is still to be written (packWrites); FLAG.error: an error (packError), such as one of start(). An
 * `abort` frame for the invocation ends the activation at once: nothing more that it says counts.
 *
 * What an answer to `read`, `list` or `alarms` shows is everything that was handed to the engine before; what
 * the running call has buffered, the activation lays over it itself.
 */

/** What is called: a method, or a hook that nobody else can call. */
export type ActorCallKind = 'method' | 'alarm' | 'connect' | 'message' | 'disconnect'

/**
 * `turn`: one at a time, in order. `beside`: at once, and it may not write. `inner`: at once, inside the
 * buffer of the call `outer`, which waits for it.
 */
export type ActorCallMode = 'turn' | 'beside' | 'inner'

/** A `call` as it leads a `message` frame. */
export interface CallMessage {
  /** Names the call within its activation; from 1 on. */
  readonly id: number
  readonly kind: ActorCallKind
  readonly mode: ActorCallMode
  /** The call that an inner one belongs to; 0 for others. */
  readonly outer: number
  /** FLAG.object: the payload is a location. ACTOR_CALL.keyed and the like beside it. */
  readonly flags: number
  /** The method; for an alarm its attempt (1 or more), a space and its name, percent-encoded. */
  readonly name: string
}

/** Bits of a call's flags beside FLAG.object (16). */
export const ACTOR_CALL = {
  /** Its reply is kept for repeats: the value itself, never a location, and no stream. */
  keyed: 32,
} as const

/**
 * Whatever calls an actor from inside a process sends the request `actor` with these fields: run, function
 * ('' for its own), Class, encodeURIComponent(key), method, options (JSON of this, or ''), the number of the
 * call of an actor whose code asks, where it is one: that is how chains of calls are told apart; and, if any
 * of the arguments are refs, `index:refId,…` of these: the method gets their values, which its process waits
 * for when it is the call's turn. They are kept as long as the call, so `get` has a last field, `kept`.
 */
export interface ActorRequestOptions {
  readonly timeoutMs?: number
  readonly idempotencyKey?: string
  /** Times that it is made again after a crash has cut it off. */
  readonly retries?: number
  /** The caller keeps a ref to the result and does not wait: others may `get` it until it is released. */
  readonly ref?: true
}

/** Names of the errors that the engine answers calls of actors with. */
export const ACTOR_ERROR = {
  /** The process ended while the call may have been running. It is not known how much of it happened. */
  crashed: 'ActorCrashed',
  mailboxFull: 'MailboxFull',
  /** It crashed too often and is left alone for a while. */
  quarantined: 'ActorQuarantined',
  /** Calls wait for each other in a circle. */
  deadlock: 'ActorDeadlock',
  /** It was killed or destroyed while the call waited or ran. */
  killed: 'ActorKilled',
  timeout: 'TimeoutError',
  cancelled: 'TaskCancelled',
} as const

/** Bounds of storage and alarms; both sides check them. */
export const ACTOR_LIMITS = {
  keyBytes: 2048,
  /** One value, encoded. */
  valueBytes: 8 * 1024 * 1024,
  /** Everything that one call writes at once. */
  writesBytes: 32 * 1024 * 1024,
  alarms: 1000,
  alarmNameBytes: 512,
  /** Storage of more bytes in all does not travel with an activation. */
  snapshotBytes: 64 * 1024,
  /** Entries that one `list` answers at most; the rest is asked for from the last key on. */
  listRows: 1000,
} as const

/** The meta of a `call`. */
export const callMeta = ({ id, kind, mode, outer, flags, name }: CallMessage): string =>
  `call\n${id}\n${kind}\n${mode}\n${outer}\n${flags}\n${name}`

/** Reads what `callMeta` made of a call; `fields` are the lines behind `call`. */
export function readCallMeta(fields: readonly string[]): CallMessage {
  const [id = '0', kind = 'method', mode = 'turn', outer = '0', flags = '0', name = ''] = fields
  return {
    id: Number(id),
    kind: kind as ActorCallKind, // the engine writes no others
    mode: mode as ActorCallMode, // as above
    outer: Number(outer),
    flags: Number(flags),
    name,
  }
}

/** The name of an alarm's call. */
export const alarmCallName = (name: string, attempt: number): string =>
  `${attempt} ${encodeURIComponent(name)}`

/** Reads what `alarmCallName` wrote. */
export function readAlarmCallName(text: string): { name: string; attempt: number } {
  const space = text.indexOf(' ')
  return { attempt: Number(text.slice(0, space)), name: decodeURIComponent(text.slice(space + 1)) }
}

/** An entry of storage; undefined where there is none. Values are bytes of the codec (packValue). */
export interface StorageRow {
  readonly key: string
  readonly value: Buffer | undefined
}

/** What `list` asks for, in the order of the keys' UTF-8 bytes. */
export interface StorageRangeQuery {
  readonly prefix?: string
  /** The first key, included. */
  readonly start?: string
  /** The first key past the end. */
  readonly end?: string
  readonly reverse?: boolean
  /** ACTOR_LIMITS.listRows at most. */
  readonly limit: number
}

/** An alarm that is set, as `alarms` answers it. */
export interface AlarmRow {
  readonly name: string
  /** Unix epoch ms. */
  readonly dueAtMs: number
  /** See alarm-schedule.ts; '' for one that rings once. */
  readonly schedule: string
  /** Base64 of the value. */
  readonly payload: string
  /** Why it is not tried any more; absent: it is. */
  readonly failed?: string
}

/** One change of what outlives the process. */
export type ActorWrite =
  | { readonly kind: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'delete-all' }
  | {
      readonly kind: 'set-alarm'
      readonly name: string
      /** When it rings first; Unix epoch ms. */
      readonly dueAtMs: number
      /** When it rings again; '': never. */
      readonly schedule: string
      /** A value. */
      readonly payload: Buffer
    }
  | { readonly kind: 'clear-alarm'; readonly name: string }

/** What an activation starts with. */
export interface ActivationStart {
  /** Larger than that of every activation of this actor before. */
  readonly epoch: number
  /** `rows` are all there is: what they do not hold does not exist. */
  readonly complete: boolean
  /** JSON of the connections that are open, as whoever serves them writes it; '' for none. */
  readonly sockets: string
  readonly rows: readonly StorageRow[]
}

const ABSENT = 0xffffffff
const WRITE = { put: 1, delete: 2, deleteAll: 3, setAlarm: 4, clearAlarm: 5 } as const

/**
 * Rows: for each `u32 bytes of the key, u32 bytes of the value (0xffffffff: there is none), key, value`.
 */
export function packRows(rows: readonly StorageRow[]): Buffer {
  const parts: Buffer[] = []
  for (const { key, value } of rows) {
    const head = Buffer.allocUnsafe(8)
    const keyBytes = Buffer.from(key)
    head.writeUInt32LE(keyBytes.length, 0)
    head.writeUInt32LE(value === undefined ? ABSENT : value.length, 4)
    parts.push(head, keyBytes)
    if (value !== undefined) parts.push(value)
  }
  return Buffer.concat(parts)
}

/** Reads what `packRows` wrote. Throws a RangeError for anything else. */
export function unpackRows(bytes: Buffer): StorageRow[] {
  const rows: StorageRow[] = []
  const cursor = new Cursor(bytes)
  while (!cursor.atEnd) {
    const keyBytes = cursor.u32()
    const valueBytes = cursor.u32()
    const key = cursor.text(keyBytes)
    rows.push({ key, value: valueBytes === ABSENT ? undefined : cursor.bytes(valueBytes) })
  }
  return rows
}

/** Keys: for each `u32 bytes, key`. */
export function packKeys(keys: readonly string[]): Buffer {
  return Buffer.concat(keys.flatMap((key) => led(Buffer.from(key))))
}

/** Reads what `packKeys` wrote. Throws a RangeError for anything else. */
export function unpackKeys(bytes: Buffer): string[] {
  const keys: string[] = []
  const cursor = new Cursor(bytes)
  while (!cursor.atEnd) keys.push(cursor.text(cursor.u32()))
  return keys
}

/**
 * Writes, in order: `u8 what, …` where a text or value is `u32 bytes` and its bytes.
 *
 *     1 put          key value
 *     2 delete       key
 *     3 delete all
 *     4 set alarm    f64 dueAtMs, name schedule payload
 *     5 clear alarm  name
 */
export function packWrites(writes: readonly ActorWrite[]): Buffer {
  if (writes.length === 0) return NOTHING
  const parts: Buffer[] = []
  for (const write of writes) {
    switch (write.kind) {
      case 'put':
        parts.push(what(WRITE.put), ...led(Buffer.from(write.key)), ...led(write.value))
        break
      case 'delete':
        parts.push(what(WRITE.delete), ...led(Buffer.from(write.key)))
        break
      case 'delete-all':
        parts.push(what(WRITE.deleteAll))
        break
      case 'set-alarm': {
        const due = Buffer.allocUnsafe(8)
        due.writeDoubleLE(write.dueAtMs, 0)
        parts.push(what(WRITE.setAlarm), due, ...led(Buffer.from(write.name)))
        parts.push(...led(Buffer.from(write.schedule)), ...led(write.payload))
        break
      }
      case 'clear-alarm':
        parts.push(what(WRITE.clearAlarm), ...led(Buffer.from(write.name)))
    }
  }
  return Buffer.concat(parts)
}

/** Reads what `packWrites` wrote. Throws a RangeError for anything else. */
export function unpackWrites(bytes: Buffer): ActorWrite[] {
  const writes: ActorWrite[] = []
  const cursor = new Cursor(bytes)
  while (!cursor.atEnd) {
    const kind = cursor.u8()
    if (kind === WRITE.put) writes.push({ kind: 'put', key: cursor.ledText(), value: cursor.led() })
    else if (kind === WRITE.delete) writes.push({ kind: 'delete', key: cursor.ledText() })
    else if (kind === WRITE.deleteAll) writes.push({ kind: 'delete-all' })
    else if (kind === WRITE.clearAlarm) writes.push({ kind: 'clear-alarm', name: cursor.ledText() })
    else if (kind === WRITE.setAlarm) {
      const dueAtMs = cursor.f64()
      const name = cursor.ledText()
      writes.push({ kind: 'set-alarm', name, dueAtMs, schedule: cursor.ledText(), payload: cursor.led() })
    } else throw new RangeError(`There is no write of kind ${kind}.`)
  }
  return writes
}

/** `f64 epoch, u8 complete, u32 bytes and JSON of the sockets, rows`. */
export function packActivation({ epoch, complete, sockets, rows }: ActivationStart): Buffer {
  const head = Buffer.allocUnsafe(9)
  head.writeDoubleLE(epoch, 0)
  head[8] = complete ? 1 : 0
  return Buffer.concat([head, ...led(Buffer.from(sockets)), packRows(rows)])
}

/** Reads what `packActivation` wrote. Throws a RangeError for anything else. */
export function unpackActivation(payload: Buffer): ActivationStart {
  const cursor = new Cursor(payload)
  const epoch = cursor.f64()
  const complete = cursor.u8() === 1
  const sockets = cursor.ledText()
  return { epoch, complete, sockets, rows: unpackRows(cursor.rest()) }
}

const NOTHING = Buffer.alloc(0)

const what = (kind: number): Buffer => Buffer.from([kind])

function led(bytes: Buffer): [Buffer, Buffer] {
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32LE(bytes.length, 0)
  return [head, bytes]
}

/** Walks through bytes. Every step throws a RangeError behind the end. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#step(4))
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#step(8))
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#step(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(length: number): string {
    const start = this.#step(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  led = (): Buffer => this.bytes(this.u32())
  ledText = (): string => this.text(this.u32())
  rest = (): Buffer => this.bytes(this.#bytes.length - this.#at)

  #step(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new RangeError('What an actor says is cut off.')
    this.#at = start + length
    return start
  }
}
