import type { Clock } from '../clock.ts'
import type { Journal } from '../store/journal.ts'
import type { Initialized } from './frames.ts'
import type { Invocation } from './invocation.ts'
import type { ProcessExit } from './launcher.ts'
import type { EnvironmentValues } from './value-exchange.ts'

/** Who is told about an environment's life: its pool, or the spares. */
export interface EnvironmentOwner<Environment> {
  /** Booted, nothing loaded. */
  booted(environment: Environment): void
  /** The code is loaded, or could not be (then it stops). */
  loaded(environment: Environment, result: Initialized): void
  /** It can take one more invocation than a moment ago. */
  released(environment: Environment): void
  /** An invocation held ahead has started. */
  startedHeld(): void
  /** An invocation held ahead that never started comes back uncounted. */
  returned(environment: Environment, invocation: Invocation): void
  /** Gone. Its running invocations have been told. */
  stopped(environment: Environment, exit: ProcessExit): void
  /** One of several invocations in it has ended. */
  calmed?(environment: Environment): void
  codeCache(environment: Environment, bytes: Buffer): void
  /** Its code asks the engine for something. */
  requested(environment: Environment, request: EnvironmentRequest): void
}

/** A `request` frame as it came. */
export interface EnvironmentRequest {
  /** Answered through `connection.answer` under this number; 0: no answer is wanted. */
  readonly id: number
  readonly flags: number
  /** How much of `body` is the request itself, UTF-8; a payload follows. */
  readonly metaBytes: number
  readonly body: Buffer
}

/** What an environment is made of. */
export interface EnvironmentOptions<Environment> {
  readonly identity: EnvironmentIdentity
  readonly owner: EnvironmentOwner<Environment>
  readonly clock: Clock
  readonly journal: Journal
  /** Names large values as the process knows them; absent: it can have none. */
  readonly values?: EnvironmentValues | undefined
}

/** What an environment is known and fenced by. */
export interface EnvironmentIdentity {
  readonly id: string
  readonly token: string
  readonly nodePath: string
  readonly nodeVersion: string
  /** Fences late answers: a number no other environment of any engine on this data directory had. */
  readonly epoch: number
}
