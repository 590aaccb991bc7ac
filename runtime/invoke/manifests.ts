import type { Clock } from '../clock.ts'
import type { Manifest } from '../environments/frames.ts'
import { Invocation, type InvocationObserver } from '../environments/invocation.ts'
import { EngineError } from '../errors.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { describeError } from './outcomes.ts'

/** What asking for manifests takes. */
export interface ManifestParts {
  /** Hands an invocation to the scheduler. */
  readonly submit: Scheduler['submit']
  readonly clock: Clock
  readonly newId: () => string
}

/** Packages whose manifests are remembered. */
const MAX_KNOWN = 10_000
const PATIENCE_MS = 60_000
const NOTHING: Manifest = { tasks: {}, actors: {} }

/**
 * The tasks and actors of packages. Every environment that has loaded one tells; who needs it before starts
 * one to be told.
 */
export class Manifests {
  readonly #parts: ManifestParts
  readonly #known = new Map<string, Manifest>()
  readonly #asked = new Map<string, Promise<Manifest>>()

  constructor(parts: ManifestParts) {
    this.#parts = parts
  }

  /** What an environment of `version` said when it had loaded. */
  learn(version: FunctionVersion, manifest: Manifest): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(keyOf(version), readManifest(manifest))
  }

  /** The manifest if it is known already. */
  known(version: FunctionVersion): Manifest | undefined {
    return this.#known.get(keyOf(version))
  }

  /**
   * What the package of `version` offers. Rejects 'unavailable' when its code cannot be loaded, and with what
   * refuses the process that would tell.
   */
  of(version: FunctionVersion): Promise<Manifest> {
    const key = keyOf(version)
    const known = this.#known.get(key)
    if (known !== undefined) return Promise.resolve(known)
    let asked = this.#asked.get(key)
    if (asked === undefined) {
      asked = this.#ask(version).finally(() => this.#asked.delete(key))
      this.#asked.set(key, asked)
    }
    return asked
  }

  async #ask(version: FunctionVersion): Promise<Manifest> {
    if (!version.runtime.startsWith('nodejs')) return NOTHING
    const payload = await new Promise<Buffer>((resolve, reject) => {
      const invocation = new Invocation(
        {
          requestId: this.#parts.newId(),
          version: {
            ...version,
            execution: {
              network: version.execution.network,
              resources: {},
              concurrency: 1,
              maxEnvironments: null,
            },
          },
          limits: { functionId: version.functionId, reservedConcurrency: null, inFlight: 0 },
          invokedArn: '',
          traceId: '',
          clientContext: '',
          tenantId: '',
          payload: Buffer.alloc(0),
          streaming: false,
          waitsForever: false,
          target: 'describe',
          pool: 'describe',
          timeoutMs: PATIENCE_MS,
          observer: observing(version, resolve, reject),
        },
        this.#parts.clock.monotonicMs(),
      )
      try {
        this.#parts.submit(invocation)
      } catch (error) {
        reject(error as Error) // an EngineError, as promised
      }
    })
    const manifest = readManifest(JSON.parse(payload.toString('utf8')))
    this.#known.set(keyOf(version), manifest)
    return manifest
  }
}

/** The handler belongs to it: what is exported may depend on the file. */
const keyOf = ({ codePackage, handler, runtime }: FunctionVersion): string =>
  `${codePackage.id}\n${handler}\n${runtime}`

function observing(
  { functionName }: FunctionVersion,
  resolve: (payload: Buffer) => void,
  reject: (error: EngineError) => void,
): InvocationObserver {
  const fail = (reason: string): void =>
    reject(
      new EngineError(
        'unavailable',
        `What function "${functionName}" offers could not be learnt: ${reason}`,
        {
          hint: 'See its log.',
        },
      ),
    )
  return {
    answered: (_one, isError, _meta, payload) =>
      isError ? fail(describeError(payload).errorMessage) : resolve(payload),
    notJson: (_one, reason) => fail(reason),
    initFailed: (_one, error) => fail(describeError(error).errorMessage),
    lost: () => fail('its process ended.'),
    refused: (_one, error) => reject(error),
    settled: () => {},
    streamStarted: () => {},
    streamData: () => {},
    streamEnded: () => fail('it answered with a stream.'),
  }
}

/** Whatever a process says, as a manifest. */
function readManifest(value: unknown): Manifest {
  const { tasks, actors } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Manifest> // checked below
  return { tasks: readNames(tasks), actors: readNames(actors) }
}

function readNames(value: unknown): Record<string, Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).map(([name, options]): [string, Record<string, unknown>] => [
      name,
      typeof options === 'object' && options !== null && !Array.isArray(options) ? { ...options } : {},
    ]),
  )
}
