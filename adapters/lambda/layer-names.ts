import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type { LayerVersion, Layers } from '../../runtime/registry/layers.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import { scopeFor } from './context.ts'

const LAYER_NAME = pattern(
  String.raw`(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+`,
)
/** A layer version's ARN, as functions name it. */
export const LAYER_VERSION_ARN = pattern(
  String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`,
)

/** A layer as a request names it. */
export interface LayerName {
  /** Whose layer it is. */
  readonly scope: Scope
  /** Who asks. */
  readonly caller: Scope
  readonly layerName: string
}

/** The ARN of a layer. */
export const layerArn = ({ account, region }: Scope, layerName: string): string =>
  `arn:aws:lambda:${region}:${account}:layer:${layerName}`

/** The ARN of a version. */
export const layerVersionArn = ({
  scope,
  layerName,
  version,
}: Pick<LayerVersion, 'scope' | 'layerName' | 'version'>): string =>
  `${layerArn(scope, layerName)}:${version}`

/** The layer that the path names, by name or by ARN. Throws EngineError 'invalid', 'not-found'. */
export function layerFor(context: Context): LayerName {
  const caller = scopeFor(context)
  const label = context.req.param('layer') ?? ''
  const constraints = new Constraints()
  constraints.length(label, 'layerName', 1, 140)
  constraints.pattern(label, 'layerName', LAYER_NAME)
  constraints.check()
  return layerNamed(label, caller)
}

/** Throws EngineError 'not-found' for another region. */
function layerNamed(label: string, caller: Scope): LayerName {
  const [arn, , , region = '', account = '', , layerName = ''] = label.split(':')
  if (arn !== 'arn') return { scope: caller, caller, layerName: label }
  if (region !== caller.region) throw nothing()
  return { scope: { account, region }, caller, layerName }
}

/** The number in the path. Throws EngineError 'invalid'. */
export function layerVersionNumber(context: Context): number {
  const text = context.req.param('version') ?? ''
  if (!/^-?\d+$/.test(text))
    throw new EngineError('invalid', `Value '${text}' at 'versionNumber' can not be converted to a Long`, {
      detail: 'serialization',
    })
  if (Number(text) < 1) throw new EngineError('invalid', 'Layer Version Cannot be less than 1')
  return Number(text)
}

/** The version an ARN names; undefined when there is none that the caller may have. */
export function findByArn(layers: Layers, arn: string, caller: Scope): LayerVersion | undefined {
  const parts = arn.split(':')
  if (parts.length !== 8) return undefined
  const { scope, layerName } = layerNamed(parts.slice(0, 7).join(':'), caller)
  const found = layers.find(scope, layerName, Number(parts[7]))
  if (found !== undefined) allow(found, caller)
  return found
}

/** Throws EngineError 'forbidden' unless the version is the caller's own, or its policy allows the caller. */
export function allow(version: LayerVersion, caller: Scope): void {
  const { account } = caller
  if (version.scope.account === account) return
  const root = `arn:aws:iam::${account}:root`
  const allowed = version.policy?.statements.some(
    ({ Principal, Condition }) =>
      // nobody here knows which organization an account is in
      Condition === undefined &&
      (Principal === '*' || (Principal as { AWS?: unknown } | undefined)?.AWS === root),
  )
  if (allowed === true) return
  throw new EngineError(
    'forbidden',
    `User: ${root} is not authorized to perform: lambda:GetLayerVersion on resource: ` +
      `${layerVersionArn(version)} because no resource-based policy allows the lambda:GetLayerVersion action`,
  )
}

/** A layer, or a version of it, that is not there. */
export const nothing = (): EngineError =>
  new EngineError('not-found', 'The resource you requested does not exist.')
