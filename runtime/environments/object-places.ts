import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ObjectFolders } from '../objects/segment-folders.ts'
import type { ObjectPlaces } from './frames.ts'
import { findNativeMapper, NATIVE_MAPPER } from './native-mapper.ts'
import { VIEW } from './sandbox.ts'

/** What environments find beside their program to map large values with; empty where it is not installed. */
export const nativeMapper = (): string[] => [findNativeMapper() ?? []].flat()

/** The folders of an environment as its process sees them, which may have a view of its own. */
export function placesOf(
  folders: ObjectFolders | undefined,
  runtimeDirectory: string,
  ownView: boolean,
): ObjectPlaces | undefined {
  if (folders === undefined) return undefined
  const { memory, disk } = folders
  const mapperPath = join(ownView ? VIEW.runtime : runtimeDirectory, NATIVE_MAPPER)
  return {
    memory: memory === null || !ownView ? memory : VIEW.memory,
    disk: disk === null || !ownView ? disk : VIEW.disk,
    ...(existsSync(join(runtimeDirectory, NATIVE_MAPPER)) ? { mapperPath } : {}),
  }
}
