import type { Duration } from './duration.ts'
import type { GpuRequest } from './types.ts'

/** What an actor class asks for: `static options`. Amounts are plain units; everything is optional. */
export interface ActorOptions {
  /** 0 when absent. */
  cpu?: number
  gpu?: GpuRequest
  gpuMemoryMb?: number
  memoryMb?: number
  /** Amounts of resources with names of your own. */
  resources?: Record<string, number>
  /** What the node must be labelled with. */
  labels?: Record<string, string>
  /** Idle for so long it goes to sleep; '60s' when absent; `'none'`: never, in a process of its own. */
  idle?: Duration
  /** Crashes in a row after which it stays down; -1, the default: no bound. */
  maxRestarts?: number
  /** Calls that may wait; 1000 when absent. */
  mailbox?: number
  /** A handle or a name, `name` or `name/bundle`. */
  placementGroup?: string | { readonly name: string }
  /** False: a process of its own. */
  shared?: boolean
  /** Time limit of a call; none when absent. */
  timeout?: Duration
}

/** How one call of an actor is made. */
export interface ActorCallOptions {
  /** The caller waits no longer. */
  timeout?: Duration
  /** A repeat gets the first reply, for a day; a call that a crash cut off is made again. */
  idempotencyKey?: string
  signal?: AbortSignal
  /** Times that a call which a crash cut off is made again; 0 when absent. */
  retries?: number
}

/** Which entries `storage.list` gives, in the order of their keys. */
export interface StorageRange {
  prefix?: string
  /** The first key, included. */
  start?: string
  /** The first key past the end. */
  end?: string
  /** From the end to the start. */
  reverse?: boolean
  limit?: number
}

/**
 * What of an actor outlives its process. Values are copies on the way in and out. What a call writes is
 * committed when it ends and before its reply leaves; a call that throws has written nothing.
 */
export interface ActorStorage {
  get<T = unknown>(key: string): Promise<T | undefined>
  put(key: string, value: unknown): Promise<void>
  /** Whether there was something. */
  delete(key: string): Promise<boolean>
  list<T = unknown>(range?: StorageRange): Promise<Map<string, T>>
  /**
   * Runs `body` and commits what the call has written up to its end at once, waiting until it is on disk.
   * When `body` throws, nothing that it wrote counts.
   */
  transaction<T>(body: () => T | Promise<T>): Promise<T>
  /** Commits what the call has written so far, and waits until it is on disk. */
  flush(): Promise<void>
}

/**
 * When an alarm rings: at a time, after a delay (milliseconds or a duration), or again and again: five cron
 * fields (UTC) or `rate(5 minutes)`.
 */
export type AlarmTime = Date | Duration | string

/** An alarm that is set. */
export interface AlarmEntry {
  readonly name: string
  /** When it rings next. */
  readonly at: Date
  /** Absent: it rings once. */
  readonly schedule?: string
  readonly payload: unknown
}

/** What an actor is woken for at times; set and cleared together with what a call writes. */
export interface ActorAlarms {
  /** Replaces the alarm of that name. */
  set(name: string, when: AlarmTime, payload?: unknown): Promise<void>
  clear(name: string): Promise<boolean>
  list(): Promise<AlarmEntry[]>
}

/** What the `alarm` hook gets. */
export interface Alarm {
  readonly name: string
  readonly payload: unknown
  /** 1, or more after attempts that failed. */
  readonly attempt: number
}

/** A connection of a client to an actor. It stays open while the actor sleeps. */
export interface ActorSocket {
  /** The same for as long as it is open. */
  readonly id: string
  /** What the client's request asked with. */
  readonly query: Readonly<Record<string, string>>
  /** Survives sleep; up to 4 KB as JSON. */
  attachment: unknown
  /** Text, bytes, or anything else as JSON. */
  send(data: unknown): void
  close(code?: number, reason?: string): void
}

/** What an actor class may have beside its methods. Nobody else can call these. */
export interface ActorHooks {
  /** Runs once before the first call of an activation. */
  start?(): unknown
  /** Runs before the actor sleeps, for five seconds at most. */
  stop?(): unknown
  /** Runs when an alarm rings; it is tried again when it throws. */
  alarm?(alarm: Alarm): unknown
  /** Runs when a client connects; throwing turns it away. */
  connect?(socket: ActorSocket): unknown
  /** Runs for each message of a client: a text or bytes. */
  message?(socket: ActorSocket, data: string | Uint8Array): unknown
  /** Runs when a connection has ended. */
  disconnect?(socket: ActorSocket): unknown
}

/** The name of a hook. */
export type ActorHook = keyof ActorHooks
