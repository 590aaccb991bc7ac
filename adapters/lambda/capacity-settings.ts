import { EngineError } from '../../runtime/errors.ts'
import type { CapacityProviders } from '../../runtime/registry/capacity-providers.ts'
import {
  LATEST_PUBLISHED,
  type CapacitySettings,
  type FunctionSettings,
} from '../../runtime/registry/function-record.ts'
import type { PublishTo } from '../../runtime/registry/published.ts'
import { pattern, type Constraints } from './constraints.ts'
import type { Fields } from './fields.ts'

const CONFIG = 'LambdaManagedInstancesCapacityProviderConfig'
const AT = 'capacityProviderConfig.lambdaManagedInstancesCapacityProviderConfig'
const ARN = pattern(
  String.raw`arn:aws[a-zA-Z-]*:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:capacity-provider:[a-zA-Z0-9-_]+`,
)

/** What the model says about the member that names a function's capacity provider. */
export function checkCapacity(body: Fields, constraints: Constraints): void {
  const given = body.fields('CapacityProviderConfig')
  if (given === undefined) return
  const config = given.fields(CONFIG)
  constraints.required(config, AT)
  if (config === undefined) return
  const arn = config.text('CapacityProviderArn')
  constraints.required(arn, `${AT}.capacityProviderArn`)
  constraints.length(arn, `${AT}.capacityProviderArn`, 1, 140)
  constraints.pattern(arn, `${AT}.capacityProviderArn`, ARN)
  const concurrency = config.integer('PerExecutionEnvironmentMaxConcurrency')
  constraints.range(concurrency, `${AT}.perExecutionEnvironmentMaxConcurrency`, 1, 1600)
  const memory = config.number('ExecutionEnvironmentMemoryGiBPerVCpu')
  constraints.range(memory, `${AT}.executionEnvironmentMemoryGiBPerVCpu`, 2, 8)
}

/**
 * The provider that a function runs in; it may change, but not from none to one or back.
 *
 * Throws EngineError 'not-found' for a provider that is not there, 'invalid' for that change.
 */
export function readCapacity(
  body: Fields,
  before: FunctionSettings | undefined,
  providers: CapacityProviders,
): Pick<FunctionSettings, 'capacity'> {
  const config = body.fields('CapacityProviderConfig')?.fields(CONFIG)
  if (config === undefined) return before?.capacity === undefined ? {} : { capacity: before.capacity }
  if (before !== undefined && before.capacity === undefined)
    throw new EngineError('invalid', 'A capacity provider is given when a function is created, not later.')
  const providerArn = config.text('CapacityProviderArn') ?? ''
  if (providers.find(providerArn) === undefined)
    throw new EngineError('not-found', `Capacity provider not found: ${providerArn}`)
  return {
    capacity: {
      providerArn,
      concurrency: config.integer('PerExecutionEnvironmentMaxConcurrency') ?? null,
      memoryGibPerCpu: config.number('ExecutionEnvironmentMemoryGiBPerVCpu') ?? null,
    },
  }
}

/** As it is shown; what was not given is left out. */
export const capacityConfig = (capacity: CapacitySettings | undefined): object | undefined =>
  capacity === undefined
    ? undefined
    : {
        [CONFIG]: {
          CapacityProviderArn: capacity.providerArn,
          PerExecutionEnvironmentMaxConcurrency: capacity.concurrency ?? undefined,
          ExecutionEnvironmentMemoryGiBPerVCpu: capacity.memoryGibPerCpu ?? undefined,
        },
      }

/** What the model says about where a version is published to. */
export const checkPublishTo = (body: Fields, constraints: Constraints): void =>
  constraints.oneOf(body.text('PublishTo'), 'publishTo', ['LATEST_PUBLISHED'])

/** Where a version is published to; `always` says that the operation does nothing else. */
export function readPublishTo(body: Fields, always = false): PublishTo {
  if (!always && body.flag('Publish') !== true) return false
  return body.text('PublishTo') === undefined ? true : LATEST_PUBLISHED
}
