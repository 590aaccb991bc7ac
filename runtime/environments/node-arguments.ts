import { realpathSync } from 'node:fs'
import { EngineError } from '../errors.ts'

/** Where a Node.js really lies. Throws EngineError 'unavailable' when there is none. */
export function realNodePath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw new EngineError('unavailable', `There is no Node.js at ${path}.`, { cause: error })
  }
}

/** The limit on the heap that is asked for, in MB; null: none is. */
export function heapLimitMb(nodeArguments: readonly string[]): number | null {
  const flag = nodeArguments.find((argument) => argument.startsWith('--max-old-space-size='))
  return flag === undefined ? null : Number(flag.slice(flag.indexOf('=') + 1))
}
