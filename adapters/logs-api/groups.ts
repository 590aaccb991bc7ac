import { EngineError } from '../../runtime/errors.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { LogGroup } from '../../runtime/store/log-groups.ts'
import { Constraints } from '../lambda/constraints.ts'
import type { LogsApiParts, LogsCall, LogsOperations } from './parts.ts'
import { decodeToken, encodeToken, groupArn, groupFromIdentifier, groupOf, limitOf } from './names.ts'

const PAGE = 50
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
]
const MAX_TAGS = 50

/** Log groups: what is there, how long it is kept, and tags. */
export function groupOperations({ groups }: LogsApiParts): LogsOperations {
  const tagsOf = async (scope: Scope, name: string): Promise<LogGroup['tags']> => {
    const group = await groups.find(scope, name)
    if (group === undefined) throw new EngineError('not-found', 'The specified log group does not exist.')
    return group.tags
  }
  const tag = (scope: Scope, name: string, tags: Readonly<Record<string, string>>): Promise<void> =>
    groups.update(scope, name, (group) => ({ tags: withinLimit({ ...group.tags, ...tags }) }))
  const untag = (scope: Scope, name: string, keys: readonly string[]): Promise<void> =>
    groups.update(scope, name, (group) => ({
      tags: Object.fromEntries(Object.entries(group.tags).filter(([key]) => !keys.includes(key))),
    }))

  return {
    CreateLogGroup: async ({ scope, fields }) => {
      const tags = withinLimit(fields.textMap('tags') ?? {})
      await groups.create(scope, groupOf(fields, scope), tags)
      return undefined
    },
    DeleteLogGroup: async ({ scope, fields }) => {
      await groups.delete(scope, groupOf(fields, scope))
      return undefined
    },
    DescribeLogGroups: (call) => describe(call, groups),
    PutRetentionPolicy: async ({ scope, fields }) => {
      const retentionDays = retentionOf(fields.integer('retentionInDays'))
      await groups.update(scope, groupOf(fields, scope), () => ({ retentionDays }))
      return undefined
    },
    DeleteRetentionPolicy: async ({ scope, fields }) => {
      await groups.update(scope, groupOf(fields, scope), () => ({ retentionDays: null }))
      return undefined
    },
    ListTagsForResource: async ({ scope, fields }) => ({
      tags: await tagsOf(scope, groupFromIdentifier(fields.text('resourceArn') ?? '', scope)),
    }),
    TagResource: async ({ scope, fields }) => {
      await tag(
        scope,
        groupFromIdentifier(fields.text('resourceArn') ?? '', scope),
        fields.textMap('tags') ?? {},
      )
      return undefined
    },
    UntagResource: async ({ scope, fields }) => {
      const name = groupFromIdentifier(fields.text('resourceArn') ?? '', scope)
      await untag(scope, name, fields.texts('tagKeys') ?? [])
      return undefined
    },
    ListTagsLogGroup: async ({ scope, fields }) => ({ tags: await tagsOf(scope, groupOf(fields, scope)) }),
    TagLogGroup: async ({ scope, fields }) => {
      await tag(scope, groupOf(fields, scope), fields.textMap('tags') ?? {})
      return undefined
    },
    UntagLogGroup: async ({ scope, fields }) => {
      await untag(scope, groupOf(fields, scope), fields.texts('tags') ?? [])
      return undefined
    },
  }
}

async function describe(
  { scope, fields }: LogsCall,
  groups: LogsApiParts['groups'],
): Promise<Readonly<Record<string, unknown>>> {
  const prefix = fields.text('logGroupNamePrefix')
  const part = fields.text('logGroupNamePattern')
  if (prefix !== undefined && part !== undefined)
    throw new EngineError('invalid', 'LogGroup name prefix and LogGroup name pattern are mutually exclusive.')
  const limit = limitOf(fields, PAGE)
  const token = fields.text('nextToken')
  const after = token === undefined ? '' : String(decodeToken(token))
  const named = (await groups.list(scope)).filter(
    ({ name }) =>
      name > after &&
      name.startsWith(prefix ?? '') &&
      name.toLowerCase().includes((part ?? '').toLowerCase()),
  )
  const page = named.slice(0, limit)
  const last = page.at(-1)
  return {
    logGroups: page.map((group) => ({
      logGroupName: group.name,
      creationTime: group.createdAtMs,
      ...(group.retentionDays === null ? {} : { retentionInDays: group.retentionDays }),
      metricFilterCount: 0,
      arn: `${groupArn(scope, group.name)}:*`,
      storedBytes: group.storedBytes,
      logGroupClass: 'STANDARD',
      logGroupArn: groupArn(scope, group.name),
    })),
    ...(named.length > page.length && last !== undefined ? { nextToken: encodeToken(last.name) } : {}),
  }
}

function retentionOf(days: number | undefined): number {
  const constraints = new Constraints()
  constraints.required(days, 'retentionInDays')
  constraints.check()
  if (days !== undefined && RETENTION_DAYS.includes(days)) return days
  throw new EngineError(
    'invalid',
    `1 validation error detected: Value '${days}' at 'retentionInDays' failed to satisfy constraint: ` +
      `Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`,
  )
}

function withinLimit<Tags extends Readonly<Record<string, string>>>(tags: Tags): Tags {
  if (Object.keys(tags).length <= MAX_TAGS) return tags
  throw new EngineError('invalid', `A log group may have at most ${MAX_TAGS} tags.`)
}
