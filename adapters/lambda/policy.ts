import { EngineError } from '../../runtime/errors.ts'
import {
  arnOf,
  type FunctionRecord,
  type PolicyRecord,
  type PolicyStatement,
} from '../../runtime/registry/function-record.ts'
import { checkQualifier } from '../../runtime/registry/policies.ts'
import { Constraints, pattern, type Pattern } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'

/** What a statement's id looks like. */
export const STATEMENT_ID = pattern('([a-zA-Z0-9-_]+)')
const ACTION = pattern(String.raw`(lambda:[*]|lambda:[a-zA-Z]+|[*])`)
const PRINCIPAL = pattern(String.raw`[^\s]+`)
const SOURCE_ARN = pattern(
  String.raw`arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
)
const SOURCE_ACCOUNT = pattern(String.raw`\d{12}`)
/** What an organization's id looks like. */
export const ORGANIZATION = pattern('o-[a-z0-9]{10,32}')
const TOKEN = pattern(String.raw`[a-zA-Z0-9._\-]+`)

/** AddPermission, GetPolicy, RemovePermission. */
export const policyRoutes: Routes = (app, { registry }) => {
  const path = '/2015-03-31/functions/:function/policy'

  app.post(path, async (context) => {
    const { scope, functionName, qualifier = '' } = labelFor(context)
    const body = await fieldsFor(context, 'AddPermission')
    checkPermission(body)
    refuseLatest(qualifier)
    const revisionId = body.text('RevisionId')
    const record = registry.get(scope, functionName)
    checkQualifier(record, qualifier)
    const statement = await registry.addStatement(scope, functionName, {
      qualifier,
      statement: statementOf(body, record, qualifier),
      ...(revisionId === undefined ? {} : { revisionId }),
    })
    return context.json({ Statement: JSON.stringify(statement) }, 201)
  })

  app.get(path, (context) => {
    const { scope, functionName, qualifier = '' } = labelFor(context)
    refuseLatest(qualifier)
    const policy = registry.find(scope, functionName)?.policies.get(qualifier)
    if (policy === undefined) throw new EngineError('not-found', 'The resource you requested does not exist.')
    return context.json({ Policy: documentOf(policy), RevisionId: policy.revisionId })
  })

  app.delete(`${path}/:statement`, async (context) => {
    const { scope, functionName, qualifier = '' } = labelFor(context)
    refuseLatest(qualifier)
    const record = registry.find(scope, functionName)
    if (record === undefined)
      throw new EngineError(
        'not-found',
        `No policy found for: arn:aws:lambda:${scope.region}:${scope.account}:function:${functionName}`,
      )
    await registry.removeStatement(scope, functionName, {
      qualifier,
      sid: context.req.param('statement'),
      revisionId: context.req.query('RevisionId'),
    })
    return empty(context)
  })
}

/** A policy as the JSON text that operations answer with. */
export const documentOf = ({ frame, statements }: PolicyRecord): string =>
  JSON.stringify({ ...(frame ?? { Version: '2012-10-17', Id: 'default' }), Statement: statements })

/** Throws EngineError 'invalid': policies belong to functions, versions and aliases. */
export function refuseLatest(qualifier: string): void {
  if (qualifier === '$LATEST')
    throw new EngineError('invalid', 'We currently do not support adding policies for $LATEST.')
}

/** What every statement must have, in the patterns of whatever its policy belongs to. */
export function constrainStatement(
  body: Fields,
  constraints: Constraints,
  patterns: { readonly statementId: Pattern; readonly action: Pattern; readonly principal: Pattern },
): void {
  for (const [name, at] of [
    ['StatementId', 'statementId'],
    ['Action', 'action'],
    ['Principal', 'principal'],
  ] as const) {
    constraints.required(body.text(name), at)
    constraints.pattern(body.text(name), at, patterns[at])
  }
  constraints.length(body.text('StatementId'), 'statementId', 1, 100)
}

function checkPermission(body: Fields): void {
  const constraints = new Constraints()
  constrainStatement(body, constraints, { statementId: STATEMENT_ID, action: ACTION, principal: PRINCIPAL })
  constraints.pattern(body.text('SourceArn'), 'sourceArn', SOURCE_ARN)
  constraints.pattern(body.text('SourceAccount'), 'sourceAccount', SOURCE_ACCOUNT)
  constraints.pattern(body.text('EventSourceToken'), 'eventSourceToken', TOKEN)
  constraints.pattern(body.text('PrincipalOrgID'), 'principalOrgID', ORGANIZATION)
  constraints.oneOf(body.text('FunctionUrlAuthType'), 'functionUrlAuthType', ['NONE', 'AWS_IAM'])
  constraints.check()
}

/** The statement as IAM writes it; conditions of one operator are grouped. */
function statementOf(body: Fields, record: FunctionRecord, qualifier: string): PolicyStatement {
  const condition: Record<string, Record<string, string>> = {}
  const require = (operator: string, key: string, value: string | undefined): void => {
    if (value !== undefined) condition[operator] = { ...condition[operator], [key]: value }
  }
  require('StringEquals', 'lambda:FunctionUrlAuthType', body.text('FunctionUrlAuthType'))
  require('StringEquals', 'AWS:SourceAccount', body.text('SourceAccount'))
  require('StringEquals', 'aws:PrincipalOrgID', body.text('PrincipalOrgID'))
  require('StringEquals', 'lambda:EventSourceToken', body.text('EventSourceToken'))
  require('Bool', 'lambda:InvokedViaFunctionUrl', body.text('InvokedViaFunctionUrl'))
  require('ArnLike', 'AWS:SourceArn', body.text('SourceArn'))
  return {
    Sid: body.text('StatementId') ?? '',
    Effect: 'Allow',
    Principal: principalOf(body.text('Principal') ?? ''),
    Action: body.text('Action') ?? '',
    Resource: arnOf(record, qualifier),
    ...(Object.keys(condition).length === 0 ? {} : { Condition: condition }),
  }
}

/**
 * Everyone, a service, an account or one of its identities. Throws EngineError 'invalid' for anything else.
 */
function principalOf(principal: string): '*' | { Service: string } | { AWS: string } {
  if (principal === '*') return '*'
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` }
  if (/^arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+$/.test(principal)) return { AWS: principal }
  if (/^[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*\.(amazonaws|amazon)\.com(\.cn)?$/.test(principal))
    return { Service: principal }
  throw new EngineError(
    'invalid',
    'The provided principal was invalid. Please check the principal and try again.',
  )
}
