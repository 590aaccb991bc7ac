/**
 * The wire between the engine and an execution environment: frames on a Unix socket (or TCP from another
 * machine).
 * A frame is a 16-byte header and a body of raw bytes:
 *
 *     0   u32 LE  body length in bytes
 *     4   u8      type (FRAME)
 *     5   u8      flags (FLAG)
 *     6   u16     reserved, zero
 *     8   u32 LE  id: the invocation's number on this connection, 0 for control frames
 *     12  u32 LE  extra: length of the meta part that leads the body, or a byte count (CREDIT)
 *
 * Control bodies are JSON; payloads are opaque. This file is used on both sides and imports nothing of ours.
 */
export const HEADER_BYTES = 16

/** A body past this is a broken peer, not a payload: the connection is closed. Bounds the reader's memory. */
export const MAX_FRAME_BYTES = 1 << 30

/** The events that an environment may tell of itself. */
const EXTENSION_EVENT = /^platform\.(extension|telemetrySubscription|logsSubscription)$/
/** A platform event that is larger is none. */
const MAX_EVENT_BYTES = 64 * 1024

/** The types of frames. */
export const FRAME = {
  // engine -> environment
  specialize: 1, // body: JSON Specialization; load this code now
  invoke: 2, // body: meta (InvokeMeta, `extra` bytes) then the payload
  recall: 3, // give invocation `id` back if it has not started
  abort: 4, // abort the signal of invocation `id`
  credit: 5, // the reader of stream `id` has taken `extra` more bytes
  makeCodeCache: 6, // when idle, answer with codeCache
  shutdown: 7, // body: JSON Shutdown; stop: exit 0 after telling the code (SIGTERM handlers) and extensions
  answer: 8, // body: what request `id` gave: a value; FLAG.error: an error; FLAG.object: where a value lies
  message: 9, // for invocation `id`, which runs: meta (UTF-8, `extra` bytes) then a payload
  // environment -> engine
  hello: 32, // body: JSON Hello; first frame on every connection
  ready: 33, // booted, nothing loaded: a spare
  initialized: 34, // body: JSON Initialized; code loaded, or why not
  result: 35, // body: meta (ResultMeta, RESULT_META_BYTES) then the payload; FLAG.error, FLAG.fatal
  streamStart: 36, // body: content type (UTF-8); may be empty
  streamData: 37, // body: bytes of the response, prelude included
  streamEnd: 38, // body: ResultMeta then the error JSON when FLAG.error
  recalled: 39, // invocation `id` had not started and will not
  notJson: 40, // body: why the payload of `id` is not JSON; the handler did not run
  codeCache: 41, // body: opaque bytes to store beside the package; empty when there is nothing to cache
  aborted: 42, // an `abort` of invocation `id` was taken: the event loop turns
  settled: 44, // body: ResultMeta; an answer with FLAG.unsettled is now the end of invocation `id`
  shutdownBudget: 45, // `extra` ms are what this environment needs to end politely, from now on
  platformEvent: 46, // body: JSON PlatformEvent; for the function's log
  request: 47, // the code asks the engine: meta (UTF-8, `extra` bytes) then a payload; id 0 wants no answer
  said: 48, // invocation `id`, which runs, says: meta (UTF-8, `extra` bytes) then a payload
  runtimeEnded: 43, // body: JSON RuntimeEnded; the runtime's own process is gone, this one follows
} as const
export type FrameType = (typeof FRAME)[keyof typeof FRAME]

/** Bits of a frame's flags. */
export const FLAG = {
  error: 1, // the payload is error JSON
  fatal: 2, // the environment exits after this answer and must not be used again
  streaming: 4, // invoke: the caller reads a stream (a buffered caller also takes stream frames)
  unsettled: 8, // the answer is there, the invocation goes on: `settled` follows
  object: 16, // in place of a large value: where it lies
} as const

/** First frame of an environment: proves who it is. The token is good for one connection. */
export interface Hello {
  environmentId: string
  token: string
  pid: number
  nodeVersion: string
}

/** Everything a booted process needs to become an environment of one function version. */
export interface Specialization {
  functionName: string
  functionVersion: string
  /** MemorySize in MB as the context reports it. */
  memoryMb: number
  handler: string
  /** `nodejs24.x`: selects the handler contract (callbacks up to 22, none from 24). */
  runtime: string
  /** Where the code lies, as this process sees it. */
  taskRoot: string
  /** Where the function's layers lie, as this process sees them; absent when it has none. */
  optRoot?: string
  /** The code imports what Lambda's images bring along; absent: it does not. */
  importsLibraries?: boolean
  /**
   * Set into process.env before user code loads: the function's own variables and AWS's. Complete: nothing
   * else is inherited.
   */
  environment: Record<string, string>
  logFormat: 'Text' | 'JSON'
  /** Lowest level written in JSON format. */
  logLevel: 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL'
  logGroup: string
  logStream: string
  /** Invocations this process runs at once. */
  concurrency: number
  /** What it is started for. Absent: to answer for the handler. */
  role?: EnvironmentRole
  /** Leads the ids of the refs that its code makes. */
  refPrefix: string
  /** Others run while its code waits in `get` or `wait`: it says when. Absent: nobody has to know. */
  lendsCpu?: boolean
  /**
   * A code cache made earlier for exactly this package, Node version and architecture, as this process sees
   * it; absent when there is none.
   */
  codeCachePath?: string
  /** The process to start and to serve the Runtime API to; absent where this one runs the code itself. */
  runtimeProcess?: RuntimeProcessSettings
  /** The variables (and the handler's name) that this process was started with hold, not `environment`. */
  inheritsVariables?: boolean
  /** Whether other environments run as the same user; absent: no. */
  sharesUser?: boolean
  /** With a process of its own only. */
  extensions?: ExtensionSettings
  /** Where large values lie. Absent: this environment cannot have any. */
  objects?: ObjectPlaces
}

/**
 * Where a process puts large values and finds those it is given, as it sees it; null: there is no such
 * place.
 */
export interface ObjectPlaces {
  memory: string | null
  disk: string | null
  /** The native part of koffi, which maps them; absent: they are read. */
  mapperPath?: string
}

/** What an environment runs: invocations of the handler, of tasks, of actors, or nothing but `describe`. */
export type EnvironmentRole = 'handler' | 'task' | 'actor' | 'describe'

/** Why an environment is to end. */
export interface Shutdown {
  reason: 'spindown' | 'timeout' | 'failure'
}

/** What happened in an environment, in the words of the Telemetry API. */
export interface PlatformEvent {
  timeMs: number
  /** `platform.extension`, … */
  type: string
  record: Record<string, unknown>
}

/** What extensions of an environment need. */
export interface ExtensionSettings {
  /** Where external ones lie, as the process sees it; null for none. */
  directory: string | null
  /** The address that this environment knows as sandbox.localdomain. */
  address: string
  account: string
}

/** A runtime's own process. */
export interface RuntimeProcessSettings {
  /**
   * `bootstrap`: the first file of `command` that is there; `python`: our program for Python, and `node`:
   * this program once more, with `command` in front of it and as arguments for Node.js.
   */
  kind: 'bootstrap' | 'python' | 'node'
  command: string[]
  /** A program that is given the command as its arguments; '' for none. */
  wrapper: string
}

/** How a runtime's own process ended. */
export interface RuntimeEnded {
  code: number | null
  signal: string | null
  /** Bytes written to the log up to then. */
  logBytes: number
  /** In place of code and signal: what the platform calls it. */
  failure?: { errorType: string; message: string }
}

/** Outcome of loading the code. */
export interface Initialized {
  durationMs: number
  /** Bytes written to the log so far. */
  logBytes: number
  /** Absent when the handler is ready. `trace` as Lambda's error JSON. */
  error?: { errorType: string; errorMessage: string; trace: string[] }
  /** The error as a runtime of its own process sent it, to be passed on as it is; with `error`. */
  errorJson?: string
  /** Whether the code cache that was offered was used. */
  codeCache: 'used' | 'rejected' | 'none'
  /** Whether the handler writes a response stream (`awslambda.streamifyResponse`). */
  streaming: boolean
  /** What else the package offers; absent where it does not use the SDK. */
  manifest?: Manifest
}

/** The tasks and actors of a package by their exports, with the options that they were declared with. */
export interface Manifest {
  tasks: Record<string, Record<string, unknown>>
  actors: Record<string, Record<string, unknown>>
}

/**
 * What leads the body of an `invoke` frame. Joined by line feeds in this order; none of the values may hold
 * one.
 */
export interface InvokeMeta {
  requestId: string
  /** Unix epoch ms; 0 means no time limit. */
  deadlineMs: number
  invokedArn: string
  traceId: string
  /** base64 of the client context's JSON, as the client sent it; '' when absent. */
  clientContext: string
  tenantId: string
  /** What of the package is to run: see `call-target.ts`; absent: the handler. */
  target?: string
}

/** The text that leads an `invoke` frame's body. */
export function encodeInvokeMeta(meta: InvokeMeta): string {
  const { requestId, deadlineMs, invokedArn, traceId, clientContext, tenantId, target } = meta
  const text = `${requestId}\n${deadlineMs}\n${invokedArn}\n${traceId}\n${clientContext}\n${tenantId}`
  return target === undefined ? text : `${text}\n${target}`
}

/** What `encodeInvokeMeta` made a text of. */
export function decodeInvokeMeta(text: string): InvokeMeta {
  const lines = text.split('\n')
  const [requestId = '', deadlineMs = '0', invokedArn = '', traceId = '', clientContext = ''] = lines
  const [, , , , , tenantId = '', target] = lines
  const meta = { requestId, deadlineMs: Number(deadlineMs), invokedArn, traceId, clientContext, tenantId }
  return target === undefined ? meta : { ...meta, target }
}

/** Layout: f64 LE durationMs, f64 LE logBytes, u32 LE maxRssKb, u32 LE zero. */
export const RESULT_META_BYTES = 24
export interface ResultMeta {
  /** Handler time, milliseconds with a fraction. */
  durationMs: number
  /**
   * Bytes this environment has written to its log up to the end of this invocation; an END line goes behind
   * them.
   */
  logBytes: number
  /** Peak resident memory of the process so far, sampled now and then. */
  maxRssKb: number
}

/** Writes RESULT_META_BYTES at `offset`. */
export function writeResultMeta(target: Buffer, offset: number, meta: ResultMeta): void {
  target.writeDoubleLE(meta.durationMs, offset)
  target.writeDoubleLE(meta.logBytes, offset + 8)
  target.writeUInt32LE(Math.min(meta.maxRssKb, 0xffffffff), offset + 16)
  target.writeUInt32LE(0, offset + 20)
}

/**
 * Reads what leads the body of a `result` or `streamEnd` frame. Throws a RangeError for what no bootstrap
 * writes: a function's code shares its process and can write to the socket too.
 */
export function readResultMeta(body: Buffer): ResultMeta {
  const durationMs = body.readDoubleLE(0)
  const logBytes = body.readDoubleLE(8)
  if (!(durationMs >= 0 && durationMs < Infinity && logBytes >= 0 && logBytes < Infinity))
    throw new RangeError('A result measures what cannot be.')
  return { durationMs, logBytes, maxRssKb: body.readUInt32LE(16) }
}

/** Reads the body of an `initialized` frame. Throws a RangeError for what no bootstrap writes. */
export function readInitialized(body: Buffer): Initialized {
  const value = parse(body) as Partial<Initialized> | null // checked as far as the engine relies on it
  const durationMs = value?.durationMs
  const told = value?.error === undefined || (typeof value.error === 'object' && value.error !== null)
  if (typeof durationMs !== 'number' || !(durationMs >= 0 && durationMs < Infinity) || !told)
    throw new RangeError('What is said of loading is not complete.')
  return value as Initialized // as checked above
}

/** Reads the body of a `runtimeEnded` frame. Throws a RangeError for what no bootstrap writes. */
export function readRuntimeEnded(body: Buffer): RuntimeEnded {
  const value = parse(body) as Partial<RuntimeEnded> | null // checked as far as the engine relies on it
  const { code, signal, logBytes, failure } = value ?? {}
  const told =
    failure === undefined || (typeof failure.errorType === 'string' && failure.message !== undefined)
  if ((code !== null && typeof code !== 'number') || typeof logBytes !== 'number' || !told)
    throw new RangeError('What is said of the end of a runtime is not complete.')
  return { code, signal: typeof signal === 'string' ? signal : null, logBytes, ...(failure && { failure }) }
}

/** Reads the body of a `platformEvent` frame. Throws a RangeError for what no bootstrap writes. */
export function readPlatformEvent(body: Buffer): PlatformEvent {
  const value = parse(body) as Partial<PlatformEvent> | null // checked below
  const { timeMs, type, record } = value ?? {}
  const known = typeof type === 'string' && EXTENSION_EVENT.test(type)
  const timed = typeof timeMs === 'number' && Number.isSafeInteger(timeMs) && timeMs >= 0
  if (!known || !timed || typeof record !== 'object' || record === null || body.length > MAX_EVENT_BYTES)
    throw new RangeError('What is said of an event is not complete.')
  return { timeMs, type, record }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new RangeError('What an environment says is not JSON.', { cause: error })
  }
}

/** Writes HEADER_BYTES at `offset`. */
export function writeHeader(
  target: Buffer,
  offset: number,
  type: number,
  flags: number,
  id: number,
  bodyBytes: number,
  extra: number,
): void {
  target.writeUInt32LE(bodyBytes, offset)
  target[offset + 4] = type
  target[offset + 5] = flags
  target[offset + 6] = 0
  target[offset + 7] = 0
  target.writeUInt32LE(id, offset + 8)
  target.writeUInt32LE(extra, offset + 12)
}

/** One frame as a single buffer: for control frames, not for the hot path. */
export function frame(
  type: number,
  body: Buffer | string | object = '',
  id = 0,
  flags = 0,
  extra = 0,
): Buffer {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const out = Buffer.allocUnsafe(HEADER_BYTES + bytes.length)
  writeHeader(out, 0, type, flags, id, bytes.length, extra)
  bytes.copy(out, HEADER_BYTES)
  return out
}

/** Receives one frame. `body` is a view that stays valid: the reader never reuses a chunk's memory. */
export type FrameHandler = (type: number, flags: number, id: number, extra: number, body: Buffer) => void

/**
 * Cuts a byte stream into frames without copying, except for a frame that spans chunks.
 * `push` throws a RangeError when a header announces more than MAX_FRAME_BYTES.
 */
export class FrameReader {
  #pending: Buffer[] = []
  #pendingBytes = 0
  #neededBytes = HEADER_BYTES
  readonly #onFrame: FrameHandler

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let data = chunk
    if (this.#pendingBytes > 0) {
      this.#pending.push(chunk)
      this.#pendingBytes += chunk.length
      if (this.#pendingBytes < this.#neededBytes) return
      data = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending, this.#pendingBytes)
      this.#pending = []
      this.#pendingBytes = 0
    }
    let offset = 0
    while (data.length - offset >= HEADER_BYTES) {
      const bodyBytes = data.readUInt32LE(offset)
      if (bodyBytes > MAX_FRAME_BYTES)
        throw new RangeError(`A frame of ${bodyBytes} bytes is over the limit of ${MAX_FRAME_BYTES}.`)
      const end = offset + HEADER_BYTES + bodyBytes
      if (end > data.length) break
      this.#onFrame(
        data[offset + 4] as number, // in bounds: the header is whole
        data[offset + 5] as number,
        data.readUInt32LE(offset + 8),
        data.readUInt32LE(offset + 12),
        data.subarray(offset + HEADER_BYTES, end),
      )
      offset = end
    }
    const rest = data.length - offset
    if (rest === 0) return
    this.#neededBytes = rest >= HEADER_BYTES ? HEADER_BYTES + data.readUInt32LE(offset) : HEADER_BYTES
    if (this.#neededBytes > HEADER_BYTES + MAX_FRAME_BYTES)
      throw new RangeError(`A frame over ${MAX_FRAME_BYTES} bytes was announced.`)
    this.#pending = [offset === 0 ? data : data.subarray(offset)]
    this.#pendingBytes = rest
  }
}
