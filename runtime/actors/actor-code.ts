import { encodeTarget } from '../environments/call-target.ts'
import type { Manifest } from '../environments/frames.ts'
import { isEngineError } from '../errors.ts'
import type { FunctionVersion, Resolver, Target } from '../registry/types.ts'
import type { ActorAddress } from '../store/actors.ts'
import { actorShape, type ActorShape } from './actor-options.ts'
import type { ActorCode } from './actor-parts.ts'
import { noSuchClass } from './failures.ts'

/** Where the code of actors is looked up. */
export interface CodeParts {
  readonly resolver: Resolver
  readonly manifests: {
    known(version: FunctionVersion): Manifest | undefined
    of(version: FunctionVersion): Promise<Manifest>
  }
  readonly newId: () => string
}

/** What the classes of functions run as: their newest code, with the options that their manifest says. */
export class ActorCodes {
  readonly #parts: CodeParts
  readonly #shapes = new WeakMap<FunctionVersion, Map<string, ActorShape>>()

  constructor(parts: CodeParts) {
    this.#parts = parts
  }

  /**
   * The code of an actor, at once when it is known. Throws or rejects 'not-found' (function, class),
   * 'invalid' (options), and what keeps the function from being ready.
   */
  of(address: ActorAddress): ActorCode | Promise<ActorCode> {
    const { resolver, manifests } = this.#parts
    const { scope, functionName } = address
    let target: Target
    try {
      target = resolver.resolve(scope, functionName, undefined)
    } catch (error) {
      const becomesReady = isEngineError(error, 'conflict') && READY_LATER.has(error.detail ?? '')
      if (!becomesReady) throw error
      return resolver.ready(scope, functionName).then(() => this.of(address))
    }
    const manifest = manifests.known(target.version)
    if (manifest !== undefined) return this.#made(address, target, manifest)
    return manifests.of(target.version).then((told) => this.#made(address, target, told))
  }

  #made(address: ActorAddress, target: Target, manifest: Manifest): ActorCode {
    const shape = this.#shapeOf(address, target.version, manifest)
    return {
      shape,
      isCurrent: () => this.#isCurrent(address, target.version),
      invocation: ({ className, key }) => ({
        requestId: this.#parts.newId(),
        version: shape.version,
        limits: { functionId: target.version.functionId, reservedConcurrency: null, inFlight: 0 },
        invokedArn: target.invokedArn,
        traceId: '',
        clientContext: '',
        tenantId: '',
        streaming: false,
        waitsForever: true,
        target: encodeTarget({ kind: 'actor', className, key }) ?? '',
        pool: shape.pool,
        timeoutMs: null,
      }),
    }
  }

  #shapeOf(address: ActorAddress, version: FunctionVersion, { actors }: Manifest): ActorShape {
    const { className } = address
    let shapes = this.#shapes.get(version)
    if (shapes === undefined) {
      shapes = new Map()
      this.#shapes.set(version, shapes)
    }
    const known = shapes.get(className)
    if (known !== undefined) return known
    const options = Object.hasOwn(actors, className) ? actors[className] : undefined
    if (options === undefined) throw noSuchClass(address, Object.keys(actors))
    const shape = actorShape(version, className, options)
    shapes.set(className, shape)
    return shape
  }

  /** What changes without a new version, the caller's rights for one, changes the target but not this. */
  #isCurrent({ scope, functionName }: ActorAddress, version: FunctionVersion): boolean {
    try {
      return this.#parts.resolver.resolve(scope, functionName, undefined).version.key === version.key
    } catch {
      return false // the next lookup says why
    }
  }
}

const READY_LATER: ReadonlySet<string> = new Set(['pending', 'updating'])
