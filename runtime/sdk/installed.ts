import type { ActorFunction } from './actor-handle.ts'
import type { Actor } from './actor.ts'
import type { Cancel, Get, Put, Wait } from './computing.ts'
import type { SDK_ERRORS } from './errors.ts'
import type { ObjectRef } from './object-ref.ts'
import type { PlacementGroup, PlacementGroupOptions } from './placement-group.ts'
import type { TaskFactory } from './task.ts'
import type { Context } from './types.ts'

/**
 * Where an environment keeps its SDK for the packages it runs: a versioned global symbol, so that a package
 * built with one version runs in any environment that still offers that version.
 */
export const SDK_SYMBOL = Symbol.for('lambent.sdk.v1')

/** What an environment offers to the packages it runs. */
export interface InstalledSdk {
  readonly context: Context
  readonly task: TaskFactory
  readonly get: Get
  readonly wait: Wait
  readonly put: Put
  readonly cancel: Cancel
  readonly placementGroup: (options: PlacementGroupOptions) => PlacementGroup
  readonly actor: ActorFunction
  readonly Actor: typeof Actor
  /** The classes that the environment itself makes refs and errors of. */
  readonly ObjectRef: typeof ObjectRef
  readonly errors: typeof SDK_ERRORS
}

/** The SDK of the environment this code runs in; undefined elsewhere. */
export const installedSdk = (): InstalledSdk | undefined =>
  (globalThis as { [SDK_SYMBOL]?: InstalledSdk })[SDK_SYMBOL] // put there by the environment

/** The same where nothing works without it. */
export function neededSdk(): InstalledSdk {
  const sdk = installedSdk()
  if (sdk === undefined)
    throw new Error(
      'There is no engine here: this runs inside a deployed function. Outside use connect() of lambent/client.',
    )
  return sdk
}
