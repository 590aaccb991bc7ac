import type { Context } from './types.ts'

/**
 * Where an environment keeps its SDK for the packages it runs: a versioned global symbol, so that a package
 * built with one version runs in any environment that still offers that version.
 */
export const SDK_SYMBOL = Symbol.for('lambent.sdk.v1')

/** The SDK of the environment this code runs in; undefined elsewhere. */
export const installedSdk = (): { context: Context } | undefined =>
  (globalThis as { [SDK_SYMBOL]?: { context: Context } })[SDK_SYMBOL] // put there by the environment
