import type { FunctionVersion } from '../registry/types.ts'
import type { LoggedEvent } from '../store/platform-lines.ts'
import { runtimeVersionArnOf, runtimeVersionOf } from './runtime-version.ts'

/** What of an environment its init is told with. */
export interface InitialisedEnvironment {
  readonly id: string
  readonly provisioned: boolean
}

/** Init begins: the first line of every stream. */
export function initStartEvent(
  timeMs: number,
  version: FunctionVersion,
  environment: InitialisedEnvironment,
): LoggedEvent {
  const record = {
    initializationType: initializationTypeOf(environment),
    phase: 'init',
    runtimeVersion: runtimeVersionOf(version.runtime),
    runtimeVersionArn: runtimeVersionArnOf(version.scope.region, version.runtime),
    functionName: version.functionName,
    functionVersion: version.version,
    instanceId: environment.id,
    instanceMaxMemory: version.memoryMb,
  }
  return { timeMs, type: 'platform.initStart', record }
}

/** How init ended. */
export type InitStatus = 'success' | 'error' | 'timeout'

/** Init has ended. */
export function initEndEvents(
  timeMs: number,
  environment: InitialisedEnvironment & { readonly initMs: number },
  status: InitStatus,
  errorType: string | undefined,
): LoggedEvent[] {
  const phase = {
    initializationType: initializationTypeOf(environment),
    phase: 'init',
    status,
    ...(errorType === undefined ? {} : { errorType }),
  }
  const metrics = { durationMs: Math.round(environment.initMs * 1000) / 1000 }
  return [
    { timeMs, type: 'platform.initRuntimeDone', record: phase },
    { timeMs, type: 'platform.initReport', record: { ...phase, metrics } },
  ]
}

const initializationTypeOf = ({ provisioned }: InitialisedEnvironment): string =>
  provisioned ? 'provisioned-concurrency' : 'on-demand'
