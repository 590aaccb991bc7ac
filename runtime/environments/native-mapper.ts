import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The name it has beside `environment.cjs`. */
export const NATIVE_MAPPER = 'koffi.node'

/**
 * The native part of the optional package koffi, with which environments map large values; undefined where it
 * is not installed: then they read them. It is one file that every Node.js can load.
 */
export function findNativeMapper(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const library = existsSync('/etc/alpine-release') ? 'musl' : 'linux'
  try {
    const main = createRequire(import.meta.url).resolve(`@koromix/koffi-linux-${process.arch}`)
    const path = join(dirname(main), `${library}_${process.arch}`, NATIVE_MAPPER)
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}
