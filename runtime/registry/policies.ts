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
  const policy = withStatement(before, statement, making.newId())
  return { ...setPolicy(record, qualifier, policy), result: statement }
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
  const policy = withoutStatement(before, sid, making.newId())
  checkRevision(before?.revisionId, revisionId, 'GetPolicy')
  return setPolicy(record, qualifier, policy)
}

/** A document that takes the place of a whole policy; undefined takes the policy away. */
export interface PolicyReplacement {
  readonly qualifier: string
  readonly document: Omit<PolicyRecord, 'revisionId'> | undefined
  readonly revisionId: string | undefined
}

/**
 * Puts a whole document in the place of what there is. Throws EngineError 'not-found',
 * 'precondition-failed', 'too-large'.
 */
export function replacePolicy(
  record: FunctionRecord,
  { qualifier, document, revisionId }: PolicyReplacement,
  making: Making,
): Edit<PolicyRecord | undefined> {
  checkQualifier(record, qualifier)
  const before = record.policies.get(qualifier)
  if (before === undefined && document === undefined) throw noPolicy()
  checkRevision(before?.revisionId, revisionId, 'GetResourcePolicy')
  const policy = document === undefined ? undefined : { ...document, revisionId: making.newId() }
  if (policy !== undefined) checkLength(policy)
  return { ...setPolicy(record, qualifier, policy), result: policy }
}

/** A policy with one statement more. Throws EngineError 'already-exists', 'too-large'. */
export function withStatement(
  before: PolicyRecord | undefined,
  statement: PolicyStatement,
  revisionId: string,
): PolicyRecord {
  if (before?.statements.some(({ Sid }) => Sid === statement.Sid) === true)
    throw new EngineError(
      'already-exists',
      `The statement id (${statement.Sid}) provided already exists. Please provide a new statement id, ` +
        'or remove the existing statement.',
    )
  const policy = { ...before, revisionId, statements: [...(before?.statements ?? []), statement] }
  checkLength(policy)
  return policy
}

/** A policy with one statement less; undefined when nothing is left. Throws EngineError 'not-found'. */
export function withoutStatement(
  before: PolicyRecord | undefined,
  sid: string,
  revisionId: string,
): PolicyRecord | undefined {
  if (before === undefined) throw noPolicy()
  const statements = before.statements.filter(({ Sid }) => Sid !== sid)
  if (statements.length === before.statements.length)
    throw new EngineError('not-found', `Statement ${sid} is not found in resource policy.`)
  return statements.length === 0 ? undefined : { ...before, revisionId, statements }
}

/** What reading or changing a policy that is not there answers. */
export const noPolicy = (): EngineError =>
  new EngineError('not-found', 'No policy is associated with the given resource.')

function checkLength({ statements }: PolicyRecord): void {
  if (Buffer.byteLength(JSON.stringify(statements)) > POLICY_BYTES)
    throw new EngineError('too-large', `The final policy size is bigger than the limit (${POLICY_BYTES}).`, {
      detail: 'policy',
    })
}

function setPolicy(
  record: FunctionRecord,
  qualifier: string,
  policy: PolicyRecord | undefined,
): Edit<undefined> {
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
