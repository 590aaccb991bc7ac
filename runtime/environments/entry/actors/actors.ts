import { isActorClass, manifestOf, type ActorClass } from '../../../sdk/actor.ts'
import { actorFunction, ActorHandles, type ActorFunction } from '../../../sdk/actor-handle.ts'
import type { CallTarget } from '../../call-target.ts'
import { FLAG, type Manifest } from '../../frames.ts'
import type { CallScope } from '../call-scope.ts'
import type { CellHome } from '../computing/ref-cell.ts'
import type { SdkCalls } from '../computing/sdk-calls.ts'
import type { Connection } from '../connection.ts'
import type { FunctionFacts } from '../context.ts'
import { ANSWER_BYTES, type Executor } from '../executor.ts'
import type { Invocation } from '../invocation.ts'
import { ActorHost } from './actor-host.ts'
import { callCodec } from './call-codec.ts'
import { EnvironmentActorCalls } from './environment-calls.ts'

/** What actors need of the rest of the environment. */
export interface ActorsParts {
  readonly connection: Pick<Connection, 'post'>
  readonly scope: CallScope
  readonly facts: FunctionFacts
  readonly home: CellHome
  readonly sdkCalls: SdkCalls
}

const ANSWER_ROOM = Buffer.alloc(ANSWER_BYTES)

/** The actor classes of a package, the actors that are awake in this process, and its calls to others. */
export class Actors {
  /** `actor` for the code. */
  readonly face: ActorFunction
  readonly #parts: ActorsParts
  readonly #classes = new Map<string, ActorClass>()
  readonly #names = new Map<ActorClass, string>()
  #host: ActorHost | undefined

  constructor(parts: ActorsParts) {
    this.#parts = parts
    const calls = new EnvironmentActorCalls(parts.home, parts.sdkCalls, (Class) => this.#names.get(Class))
    this.face = actorFunction(new ActorHandles(calls))
  }

  /** Names the package's actor classes by their exports, and says what each declares. Throws a TypeError. */
  scan(exports: Readonly<Record<string, unknown>>): Manifest['actors'] {
    const declared: Manifest['actors'] = {}
    for (const [name, value] of Object.entries(exports)) {
      if (!isActorClass(value)) continue
      this.#classes.set(name, value)
      if (!this.#names.has(value)) this.#names.set(value, name)
      declared[name] = manifestOf(value)
    }
    return declared
  }

  /** Wakes an actor; `invocation` runs until it sleeps again. */
  start(executor: Executor, invocation: Invocation, target: CallTarget & { kind: 'actor' }): void {
    const { connection, scope, facts, home, sdkCalls } = this.#parts
    this.#host ??= new ActorHost({
      ...{ connection, scope, facts },
      codec: callCodec(home.values, sdkCalls),
      classOf: (className) => this.#classes.get(className),
      end: (ended, payload, isError) => {
        const whole = Buffer.concat([ANSWER_ROOM, payload])
        executor.answerWith(ended, isError ? FLAG.error : 0, whole)
      },
      logError: (label, thrown) => console.error(label, thrown),
    })
    // Between its calls nothing else does.
    invocation.waitsForEngine = true
    executor.updateHold()
    this.#host.begin(invocation, target.className, target.key)
  }

  /** Takes a message for an actor; false: none is meant. */
  message(id: number, meta: string, payload: Buffer): boolean {
    return this.#host?.message(id, meta, payload) ?? false
  }

  abort(id: number): void {
    this.#host?.abort(id)
  }
}
