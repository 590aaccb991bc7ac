import { EngineError } from '../../runtime/errors.ts'
import type { LayerReference } from '../../runtime/registry/function-record.ts'
import type { Layers } from '../../runtime/registry/layers.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { findByArn } from './layer-names.ts'

const MAX_LAYERS = 5

/**
 * The layers that a function asks for by ARN, in their order. What it has already it may keep, though the
 * layer version is removed meanwhile.
 *
 * Throws EngineError 'invalid' for more than a function may have, other regions, versions that do not exist
 * and two versions of one layer; 'forbidden' for layers of others.
 */
export function resolveLayers(
  arns: readonly string[],
  before: readonly LayerReference[],
  layers: Layers,
  scope: Scope,
): LayerReference[] {
  if (arns.length > MAX_LAYERS)
    throw new EngineError('invalid', `Cannot reference more than ${MAX_LAYERS} layers.`)
  const seen = new Map<string, string>()
  return arns.map((arn) => {
    const [, , , region = ''] = arn.split(':')
    if (region !== '' && region !== scope.region)
      throw new EngineError(
        'invalid',
        'Layers are not in the same region as the function. ' +
          `Layers are expected to be in region ${scope.region}.`,
      )
    const reference = before.find((one) => one.arn === arn) ?? referenceTo(arn, layers, scope)
    const layer = arn.slice(0, arn.lastIndexOf(':'))
    const other = seen.get(layer)
    if (other !== undefined)
      throw new EngineError(
        'invalid',
        'Two different versions of the same layer are not allowed to be referenced in the same function. ' +
          `${other} and ${arn} are versions of the same layer.`,
      )
    seen.set(layer, arn)
    return reference
  })
}

function referenceTo(arn: string, layers: Layers, scope: Scope): LayerReference {
  const found = findByArn(layers, arn, scope)
  if (found === undefined) throw new EngineError('invalid', `Layer version ${arn} does not exist.`)
  const { id, sizeBytes, unzippedBytes } = found.codePackage
  return { arn, packageId: id, sizeBytes, unzippedBytes }
}
