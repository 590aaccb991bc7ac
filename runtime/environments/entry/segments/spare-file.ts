import fs from 'node:fs'
import { join } from 'node:path'
import { SPARE_PREFIX } from '../../../objects/spare-segments.ts'

/** A spare file may be this many times as large as what is to be written. */
const MAX_SURPLUS = 2

/**
 * Takes the smallest spare file that holds `sizeBytes` and names it `path`; false when there is none. Writing
 * to memory that is there is several times as fast as making it.
 */
export function takeSpare(folder: string, sizeBytes: number, path: string): boolean {
  const spares = fs
    .readdirSync(folder)
    .filter((name) => name.startsWith(SPARE_PREFIX))
    .map((name) => ({ name, bytes: Number(name.slice(SPARE_PREFIX.length).split('-')[0]) }))
    .filter(({ bytes }) => bytes >= sizeBytes && bytes <= sizeBytes * MAX_SURPLUS)
    .sort((left, right) => left.bytes - right.bytes)
  for (const { name } of spares) {
    try {
      fs.renameSync(join(folder, name), path)
      return true
    } catch {
      // The engine has taken it back.
    }
  }
  return false
}
