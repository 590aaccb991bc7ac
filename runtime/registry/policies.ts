import { EngineError } from '../errors.ts'
import {
  arnOf,
  isAliasName,
  withEntry,
  type Edit,
  type FunctionRecord,
  type PolicyRecord,
  type PolicyStatement,
} from './function-record.ts'
import { deletePolicy, putPolicy } from './rows.ts'
import type { Making } from './running.ts'
import { checkRevision } from './versions.ts'

const POLICY_BYTES = 20 * 1024

/** A statement to add; `qualifier` is '' for the function itself. */
export interface NewStatement {
  readonly qualifier: string
  readonly statement: PolicyStatement
  readonly revisionId?: string
}

/** Throws EngineError 'not-found' for the qualifier, 'already-exists', 'precondition-failed', 'too-large'. */
export function addStatement(
  record: FunctionRecord,
  { qualifier, statement, revisionId }: NewStatement,
  making: Making,
): Edit<PolicyStatement> {
  checkQualifier(record, qualifier)
  const before = record.policies.get(qualifier)
  checkRevision(before?.revisionId, revisionId, 'GetPolicy')
  if (before?.statements.some(({ Sid }) => Sid === statement.Sid) === true)
    throw new EngineError(
      'already-exists',
      `The statement id (${statement.Sid}) provided already exists. Please provide a new statement id, ` +
        'or remove the existing statement.',
    )
  const statements = [...(before?.statements ?? []), statement]
  if (Buffer.byteLength(JSON.stringify(statements)) > POLICY_BYTES)
    throw new EngineError('too-large', `The final policy size is bigger than the limit (${POLICY_BYTES}).`, {
      detail: 'policy',
    })
  return { ...replace(record, qualifier, statements, making), result: statement }
}

/** Throws EngineError 'not-found', 'precondition-failed'. */
export function removeStatement(
  record: FunctionRecord,
  qualifier: string,
  sid: string,
  revisionId: string | undefined,
  making: Making,
): Edit<undefined> {
  checkQualifier(record, qualifier)
  const before = record.policies.get(qualifier)
  if (before === undefined)
    throw new EngineError('not-found', 'No policy is associated with the given resource.')
  if (!before.statements.some(({ Sid }) => Sid === sid))
    throw new EngineError('not-found', `Statement ${sid} is not found in resource policy.`)
  checkRevision(before.revisionId, revisionId, 'GetPolicy')
  const rest = before.statements.filter(({ Sid }) => Sid !== sid)
  return replace(record, qualifier, rest, making)
}

function replace(
  record: FunctionRecord,
  qualifier: string,
  statements: readonly PolicyStatement[],
  making: Making,
): Edit<undefined> {
  const policy: PolicyRecord | undefined =
    statements.length === 0 ? undefined : { revisionId: making.newId(), statements }
  return {
    changes: [
      policy === undefined
        ? deletePolicy(record.functionId, qualifier)
        : putPolicy(record.functionId, qualifier, policy),
    ],
    record: { ...record, policies: withEntry(record.policies, qualifier, policy) },
    events: [],
    result: undefined,
  }
}

/** Throws EngineError 'not-found' unless `qualifier` is '', a version or an alias of this function. */
export function checkQualifier(record: FunctionRecord, qualifier: string): void {
  if (qualifier === '' || record.versions.has(qualifier) || record.aliases.has(qualifier)) return
  const arn = arnOf(record, qualifier)
  throw new EngineError(
    'not-found',
    isAliasName(qualifier) ? `Cannot find alias arn: ${arn}` : `Function not found: ${arn}`,
  )
}
