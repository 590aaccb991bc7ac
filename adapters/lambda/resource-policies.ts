import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type { PolicyRecord, PolicyStatement } from '../../runtime/registry/function-record.ts'
import { checkQualifier, noPolicy } from '../../runtime/registry/policies.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, scopeFor, type Routes } from './context.ts'
import { parseFunctionLabel } from './labels.ts'
import { documentOf, refuseLatest } from './policy.ts'

const RESOURCE = pattern(
  String.raw`arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?`,
)

/**
 * PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: the same policies that AddPermission makes
 * statement by statement, as whole documents.
 */
export const resourcePolicyRoutes: Routes = (app, { registry }) => {
  const path = '/2026-07-09/resource-policy/:arn'

  app.put(path, async (context) => {
    const body = await fieldsFor(context, 'PutResourcePolicy')
    const text = body.text('Policy')
    const constraints = new Constraints()
    constraints.required(text, 'policy')
    const { scope, functionName, qualifier } = targetOf(context, constraints)
    const record = registry.get(scope, functionName)
    checkQualifier(record, qualifier)
    const policy = await registry.replacePolicy(scope, functionName, {
      qualifier,
      document: readDocument(text ?? ''),
      revisionId: body.text('RevisionId'),
    })
    if (policy === undefined) throw noPolicy()
    return context.json({ Policy: documentOf(policy), RevisionId: policy.revisionId })
  })

  app.get(path, (context) => {
    const { scope, functionName, qualifier } = targetOf(context)
    const record = registry.get(scope, functionName)
    checkQualifier(record, qualifier)
    const policy = record.policies.get(qualifier)
    if (policy === undefined) throw noPolicy()
    return context.json({ Policy: documentOf(policy), RevisionId: policy.revisionId })
  })

  app.delete(path, async (context) => {
    const { scope, functionName, qualifier } = targetOf(context)
    await registry.replacePolicy(scope, functionName, {
      qualifier,
      document: undefined,
      revisionId: context.req.query('RevisionId'),
    })
    return empty(context)
  })
}

/** The function, version or alias in the path; '' for the function itself. Throws EngineError 'invalid'. */
function targetOf(
  context: Context,
  constraints = new Constraints(),
): { scope: Scope; functionName: string; qualifier: string } {
  const arn = context.req.param('arn') ?? ''
  const scope = scopeFor(context)
  if (!arn.startsWith(`arn:aws:lambda:${scope.region}:`) || !arn.includes(':function:'))
    constraints.pattern(arn, 'resourceArn', RESOURCE)
  constraints.check()
  const { functionName, qualifier = '' } = parseFunctionLabel(encodeURIComponent(arn), undefined, scope)
  refuseLatest(qualifier)
  return { scope, functionName, qualifier }
}

/** Throws EngineError 'invalid' for what is no policy document. */
function readDocument(text: string): Omit<PolicyRecord, 'revisionId'> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new EngineError('invalid', 'The policy is not valid JSON.', { cause })
  }
  if (!isObject(value)) throw new EngineError('invalid', 'The policy must be a JSON object.')
  const { Statement, ...frame } = value
  const statements = Array.isArray(Statement) ? Statement : [Statement]
  if (statements.length === 0) throw new EngineError('invalid', 'The policy has no statements.')
  for (const statement of statements) {
    if (!isObject(statement)) throw new EngineError('invalid', 'A statement of the policy is not an object.')
    if (statement['Effect'] !== 'Allow' && statement['Effect'] !== 'Deny')
      throw new EngineError('invalid', 'A statement of the policy has no Effect of Allow or Deny.')
    for (const member of ['Principal', 'Action', 'Resource'])
      if (statement[member] === undefined && statement[`Not${member}`] === undefined)
        throw new EngineError('invalid', `A statement of the policy has no ${member}.`)
  }
  const ids = statements
    .map((statement) => (statement as PolicyStatement).Sid)
    .filter((id) => id !== undefined)
  if (new Set(ids).size < ids.length)
    throw new EngineError('invalid', 'Two statements of the policy have the same Sid.')
  // the cast: checked one by one above
  return { frame, statements: statements as PolicyStatement[] }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
