import { EngineError } from '../../runtime/errors.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { LogGroups } from '../../runtime/store/log-groups.ts'
import { Constraints, pattern } from '../lambda/constraints.ts'
import type { Fields } from '../lambda/fields.ts'

const GROUP = pattern(String.raw`[\.\-_/#A-Za-z0-9]+`)
const STREAM = pattern('[^:*]*')
const ARN = /^arn:aws[\w-]*:logs:([\w-]*):(\d*):log-group:([^:]+)(?::\*)?$/

/** The ARN of a log group, without the `:*` that some answers put behind it. */
export const groupArn = ({ region, account }: Scope, group: string): string =>
  `arn:aws:logs:${region}:${account}:log-group:${group}`

/** A group that is named by name or by ARN. Throws EngineError 'invalid'. */
export function groupOf(fields: Fields, scope: Scope): string {
  const identifier = fields.text('logGroupIdentifier')
  const name = fields.text('logGroupName')
  if (identifier !== undefined && name !== undefined)
    throw new EngineError('invalid', 'LogGroup name and LogGroup ARN are mutually exclusive parameters.')
  if (identifier !== undefined) return groupFromIdentifier(identifier, scope)
  checkGroup(name)
  return name ?? ''
}

/** A name, or an ARN of this account and region. Throws EngineError 'invalid'. */
export function groupFromIdentifier(identifier: string, scope: Scope): string {
  const found = ARN.exec(identifier)
  const [, region = scope.region, account = scope.account, group = identifier] = found ?? []
  if (region !== scope.region || account !== scope.account)
    throw new EngineError('invalid', 'The log group belongs to another account or region.')
  checkGroup(group)
  return group
}

function checkGroup(name: string | undefined): void {
  const constraints = new Constraints()
  constraints.required(name, 'logGroupName')
  constraints.length(name, 'logGroupName', 1, 512)
  constraints.pattern(name, 'logGroupName', GROUP)
  constraints.check()
}

/** A stream's name. Throws EngineError 'invalid'. */
export function streamOf(fields: Fields): string {
  const name = fields.text('logStreamName')
  const constraints = new Constraints()
  constraints.required(name, 'logStreamName')
  constraints.length(name, 'logStreamName', 1, 512)
  constraints.pattern(name, 'logStreamName', STREAM)
  constraints.check()
  return name ?? ''
}

/** A limit within bounds. Throws EngineError 'invalid'. */
export function limitOf(fields: Fields, most: number): number {
  const limit = fields.integer('limit')
  const constraints = new Constraints()
  constraints.range(limit, 'limit', 1, most)
  constraints.check()
  return limit ?? most
}

/**
 * Makes sure that a group is there, or will be as soon as a function that exists writes to it: a tail may
 * begin before the first line. Rejects with EngineError 'not-found'.
 */
export async function assertGroup(
  { groups, registry }: { groups: LogGroups; registry: Pick<Registry, 'list'> },
  scope: Scope,
  group: string,
): Promise<void> {
  if ((await groups.find(scope, group)) !== undefined) return
  const isExpected = registry
    .list(scope)
    .some(({ versions }) => [...versions.values()].some(({ settings }) => settings.logging.group === group))
  if (!isExpected) throw new EngineError('not-found', 'The specified log group does not exist.')
}

/** A token that stands for a place in a list. */
export const encodeToken = (place: unknown): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url')

/** The reverse of `encodeToken`. Throws EngineError 'invalid' for what nobody gave out. */
export function decodeToken(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
  } catch {
    throw badToken()
  }
}

/** What an unknown token is answered with. */
export const badToken = (): EngineError => new EngineError('invalid', 'The specified nextToken is invalid.')
