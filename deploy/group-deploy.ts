import { LambdaError, type LambdaCall } from './lambda-client.ts'
import { isRecord, recordsIn } from './shapes.ts'

/** A placement group that a project declares. */
export interface GroupSource {
  readonly name: string
  /** For a person: the file. */
  readonly place: string
  readonly wish: Readonly<Record<string, unknown>>
}

/** What became of the placement groups of a deploy. */
export interface DeployedGroups {
  readonly warnings: readonly string[]
  readonly problems: readonly string[]
}

const PATH = '/lambent/v1/placement-groups'

/**
 * Makes the groups that are not there yet. One that is there stays as it is, since to change it would end
 * what uses it: where it differs, a warning says so.
 */
export async function deployGroups(
  sources: readonly GroupSource[],
  call: LambdaCall,
): Promise<DeployedGroups> {
  const warnings: string[] = []
  const problems: string[] = []
  for (const { name, place, wish } of sources) {
    try {
      await call('POST', PATH, { name, ...wish })
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (!(error instanceof LambdaError && error.status === 409)) {
        problems.push(`${place}: placementGroups.${name}: ${error.message}`)
        continue
      }
      const there = await call('GET', `${PATH}/${encodeURIComponent(name)}`)
      if (!isSame(there, wish))
        warnings.push(
          `${place}: placementGroups.${name}: there is one with other bundles, which stays: lambent pg rm ${name}`,
        )
    }
  }
  return { warnings, problems }
}

/** Whether a group, as the engine shows it, is what is asked for; kinds of GPUs are not shown. */
function isSame(group: unknown, wish: GroupSource['wish']): boolean {
  if (!isRecord(group) || group.strategy !== (wish.strategy ?? 'PACK')) return false
  const held = recordsIn(group, 'bundles')
  const wished = recordsIn(wish, 'bundles')
  if (held.length !== wished.length) return false
  return wished.every((one, index) => {
    const { cpu = 0, gpu = 0, memoryMb } = one
    const there = held[index]
    if (there === undefined) return false
    return there.cpu === cpu && there.memoryMb === memoryMb && (typeof gpu !== 'number' || there.gpu === gpu)
  })
}
