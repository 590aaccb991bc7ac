import { EngineError } from '../errors.ts'
import { arnOf, withEntry, type Edit, type FunctionRecord, type ScalingSettings } from './function-record.ts'
import type { Making } from './running.ts'

/** Nothing was said: as few environments as work asks for, as many as there is room for. */
const UNBOUND: ScalingSettings = { minEnvironments: null, maxEnvironments: null }

/**
 * Bounds the environments of a published version in a capacity provider. A bound that is null is the default.
 *
 * Throws EngineError 'not-found' for the version, 'invalid' for a function without a capacity provider and
 * for bounds that contradict each other, 'infeasible' for more than the machine or the provider could ever
 * hold.
 */
export function putScaling(
  record: FunctionRecord,
  version: string,
  settings: ScalingSettings,
  making: Making,
): Edit<ScalingSettings> {
  const found = record.versions.get(version)
  if (found === undefined) throw new EngineError('not-found', `Function not found: ${arnOf(record, version)}`)
  if (found.settings.capacity === undefined)
    throw new EngineError(
      'invalid',
      `FunctionScalingConfig is only supported for functions with a capacity provider: ${arnOf(record, version)}`,
    )
  const { minEnvironments: low, maxEnvironments: high } = settings
  if (low !== null && high !== null && low > high)
    throw new EngineError(
      'invalid',
      `MinExecutionEnvironments (${low}) cannot be greater than MaxExecutionEnvironments (${high}).`,
    )
  const missing = making.feasible(found.runnable, Math.max(1, low ?? 0))
  if (missing !== undefined)
    throw new EngineError('infeasible', `${low} environments of ${arnOf(record, version)}: ${missing}`)
  return {
    changes: [['putScaling', record.functionId, version, low, high]],
    record: { ...record, scaling: withEntry(record.scaling, version, settings) },
    events: [],
    result: settings,
  }
}

/** The bounds of a published version. Throws EngineError 'not-found'. */
export function scalingOf(record: FunctionRecord, version: string): ScalingSettings {
  if (!record.versions.has(version))
    throw new EngineError('not-found', `Function not found: ${arnOf(record, version)}`)
  return record.scaling.get(version) ?? UNBOUND
}

/** Whether a version may have no environment at all, so that it cannot be called. */
export const isDeactivated = (record: FunctionRecord, version: string): boolean =>
  record.scaling.get(version)?.maxEnvironments === 0
