import type { Duration } from './duration.ts'
import type { PlacementGroupConfig } from './types.ts'

/** How the bundles of a group lie on nodes: together or apart, strictly or as far as there is room. */
export type PlacementStrategy = 'PACK' | 'SPREAD' | 'STRICT_PACK' | 'STRICT_SPREAD'

/** A gang of reservations, all of them or none. */
export interface PlacementGroupOptions extends PlacementGroupConfig {
  /** Others find the group by it, and it outlives the code that made it. Absent: it ends with that. */
  name?: string
  strategy?: PlacementStrategy
  /** How long it lives at most. */
  expires?: Duration
}

/** A group as it stands. */
export interface PlacementGroupState {
  readonly name: string
  readonly state: 'pending' | 'ready' | 'rescheduling' | 'removed'
  /** Why it is not ready. */
  readonly reason?: string
  readonly strategy?: string
  readonly bundles: readonly {
    readonly cpu?: number
    readonly gpu?: number | string
    readonly node?: string
    readonly gpuIds?: readonly number[]
  }[]
}

/** How long to wait. */
export interface Patience {
  timeout?: Duration
  signal?: AbortSignal
}

/** A placement group. Tasks and actors take it, or its name, as their option `placementGroup`. */
export interface PlacementGroup {
  readonly name: string
  /** Resolves when all bundles are reserved. Rejects when that can never be, and TimeoutError. */
  ready(options?: Patience): Promise<void>
  /** Gives its reservations back; what runs in them is ended. */
  remove(): Promise<void>
  state(): Promise<PlacementGroupState>
}

/** What a group's handle asks the engine to do. */
export type GroupVerb = 'create' | 'ready' | 'remove' | 'state'

/** What carries requests about groups. */
export interface GroupHost {
  /** A name that no other group has. */
  newName(): string
  ask(verb: GroupVerb, body: object, options?: Patience): Promise<unknown>
}

/** Makes groups whose requests `host` carries. */
export const placementGroupFactory =
  (host: GroupHost) =>
  (options: PlacementGroupOptions): PlacementGroup =>
    new Group(host, options)

class Group implements PlacementGroup {
  readonly name: string
  readonly #host: GroupHost
  readonly #created: Promise<unknown>

  constructor(host: GroupHost, options: PlacementGroupOptions) {
    if (typeof options !== 'object' || options === null || !Array.isArray(options.bundles))
      throw new TypeError('A placement group needs bundles: placementGroup({ bundles: [{ cpu: 1 }] }).')
    this.#host = host
    this.name = options.name ?? host.newName()
    this.#created = host.ask('create', { ...options, name: this.name })
    // Told by whatever is asked of the group next.
    this.#created.catch(() => undefined)
  }

  async ready(options?: Patience): Promise<void> {
    await this.#created
    await this.#host.ask('ready', { name: this.name }, options)
  }

  async remove(): Promise<void> {
    await this.#created
    await this.#host.ask('remove', { name: this.name })
  }

  async state(): Promise<PlacementGroupState> {
    await this.#created
    return (await this.#host.ask('state', { name: this.name })) as PlacementGroupState // told by the engine
  }
}
