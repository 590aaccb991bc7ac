import type { FunctionVersion } from '../registry/types.ts'
import type { LoggedEvent } from '../store/platform-lines.ts'
import type { Initialized } from './frames.ts'
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

/** Init has ended. */
export function initEndEvents(
  timeMs: number,
  { error, durationMs }: Initialized,
  environment: InitialisedEnvironment,
): LoggedEvent[] {
  const phase = {
    initializationType: initializationTypeOf(environment),
    phase: 'init',
    status: error === undefined ? 'success' : 'error',
    ...(error === undefined ? {} : { errorType: reducedType(error.errorType) }),
  }
  const metrics = { durationMs: Math.round(durationMs * 1000) / 1000 }
  return [
    { timeMs, type: 'platform.initRuntimeDone', record: phase },
    { timeMs, type: 'platform.initReport', record: { ...phase, metrics } },
  ]
}

const initializationTypeOf = ({ provisioned }: InitialisedEnvironment): string =>
  provisioned ? 'provisioned-concurrency' : 'on-demand'

/** A handler's own class name says nothing to a reader of platform events: AWS reduces it to this, too. */
const reducedType = (errorType: string): string =>
  /^(Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+$/.test(errorType) ? errorType : 'Runtime.Unknown'
