import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type { LayerVersion, Layers } from '../../runtime/registry/layers.ts'
import { noPolicy } from '../../runtime/registry/policies.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { layerFor, layerVersionArn, layerVersionNumber } from './layer-names.ts'
import { refuseOthers } from './layers.ts'
import { constrainStatement, documentOf, ORGANIZATION, STATEMENT_ID } from './policy.ts'

const ACTION = pattern('lambda:GetLayerVersion')
const PRINCIPAL = pattern(String.raw`\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root`)

/** AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission. */
export const layerPolicyRoutes: Routes = (app, { layers }) => {
  const path = '/2018-10-31/layers/:layer/versions/:version/policy'

  app.post(path, async (context) => {
    const body = await fieldsFor(context, 'AddLayerVersionPermission')
    checkPermission(body)
    const version = ownVersion(context, layers)
    const statement = {
      Sid: body.text('StatementId') ?? '',
      Effect: 'Allow',
      Principal: principalOf(body.text('Principal') ?? ''),
      Action: body.text('Action') ?? '',
      Resource: layerVersionArn(version),
      ...conditionOf(body.text('OrganizationId')),
    }
    const revisionId = context.req.query('RevisionId') ?? body.text('RevisionId')
    const policy = await layers.addStatement(version, statement, revisionId)
    return context.json({ Statement: JSON.stringify(statement), RevisionId: policy.revisionId }, 201)
  })

  app.get(path, (context) => {
    const { policy } = ownVersion(context, layers)
    if (policy === undefined) throw noPolicy()
    return context.json({ Policy: documentOf(policy), RevisionId: policy.revisionId })
  })

  app.delete(`${path}/:statement`, async (context) => {
    const version = ownVersion(context, layers)
    await layers.removeStatement(version, context.req.param('statement'), context.req.query('RevisionId'))
    return empty(context)
  })
}

/** Throws EngineError 'not-found' in words of these operations. */
function ownVersion(context: Context, layers: Layers): LayerVersion {
  const { scope, caller, layerName } = layerFor(context)
  const version = layerVersionNumber(context)
  refuseOthers(scope, caller)
  const found = layers.find(scope, layerName, version)
  if (found !== undefined) return found
  const arn = layerVersionArn({ scope, layerName, version })
  throw new EngineError('not-found', `Layer version ${arn} does not exist.`)
}

function checkPermission(body: Fields): void {
  const constraints = new Constraints()
  constrainStatement(body, constraints, { statementId: STATEMENT_ID, action: ACTION, principal: PRINCIPAL })
  constraints.pattern(body.text('OrganizationId'), 'organizationId', ORGANIZATION)
  constraints.check()
}

const principalOf = (principal: string): '*' | { AWS: string } => {
  if (principal === '*') return '*'
  return { AWS: /^\d{12}$/.test(principal) ? `arn:aws:iam::${principal}:root` : principal }
}

const conditionOf = (organization: string | undefined): object =>
  organization === undefined ? {} : { Condition: { StringEquals: { 'aws:PrincipalOrgID': organization } } }
