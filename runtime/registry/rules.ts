import { EngineError } from '../errors.ts'
import type { FunctionSettings } from './function-record.ts'
import type { CodePackage } from './types.ts'

/** What a function's configuration may say, whoever asks. Texts are those that clients of Lambda know. */

const words = (text: string): string[] => text.trim().split(/\s+/)

/** Runtimes that functions may be created with. */
export const RUNTIMES: readonly string[] = words(`
  nodejs20.x python3.14 provided.al2023 python3.12 python3.13 nodejs24.x nodejs22.x java25 python3.10
  python3.11 java21 ruby3.3 ruby3.4 ruby3.2 python3.9 java17 dotnet10 dotnet8 java11 provided.al2
  java8.al2 nodejs26.x python3.15 ruby4.0 java8.al2023 java11.al2023 java17.al2023
`)

/** Runtimes that layers may name: all there have ever been, in the service's own order. */
export const LAYER_RUNTIMES: readonly string[] = words(`
  ruby2.6 dotnetcore1.0 python3.7 nodejs8.10 nasa ruby2.7 python2.7-greengrass dotnetcore2.0 python3.8
  java21 dotnet6 dotnetcore2.1 python3.9 java11 nodejs6.10 provided dotnetcore3.1 dotnet8 java25 java17
  nodejs nodejs4.3 java8.al2 go1.x dotnet10 nodejs20.x go1.9 byol nodejs10.x provided.al2023 nodejs22.x
  python3.10 java8 nodejs12.x python3.11 nodejs24.x nodejs8.x python3.12 nodejs14.x nodejs8.9 nodejs26.x
  python3.13 python3.14 nodejs16.x provided.al2 nodejs4.3-edge nodejs18.x ruby3.2 python3.4 ruby3.3
  ruby3.4 ruby2.5 python3.6 python2.7 python3.15 ruby4.0 java8.al2023 java11.al2023 java17.al2023
`)

/** Runtimes that existed once. */
const RETIRED: ReadonlySet<string> = new Set(
  words(`
  nodejs nodejs4.3 nodejs4.3-edge nodejs6.10 nodejs8.10 nodejs10.x nodejs12.x nodejs14.x nodejs16.x
  nodejs18.x java8 python2.7 python3.6 python3.7 python3.8 dotnetcore1.0 dotnetcore2.0 dotnetcore2.1
  dotnetcore3.1 dotnet5.0 dotnet6 dotnet7 go1.x ruby2.5 ruby2.7 provided
`),
)

/** Variables that the environment of a function sets itself. */
const RESERVED_VARIABLES: ReadonlySet<string> = new Set(
  words(`
  _HANDLER _X_AMZN_TRACE_ID AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_EXECUTION_ENV
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION
  AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME
  AWS_LAMBDA_RUNTIME_API AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN LAMBDA_RUNTIME_DIR
  LAMBDA_TASK_ROOT
`),
)

const VARIABLES_BYTES = 4096
const MAX_TAGS = 50
const UNZIPPED_BYTES = 262_144_000

/** Throws EngineError 'invalid' for a runtime, variables or layers that no function may have. */
export function checkSettings(settings: FunctionSettings): void {
  checkRuntime(settings.runtime)
  if (settings.image === undefined && (settings.handler === '' || settings.runtime === ''))
    throw new EngineError(
      'invalid',
      'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
    )
  if (settings.variables !== undefined) checkVariables(settings.variables)
}

function checkRuntime(runtime: string): void {
  if (runtime === '' || RUNTIMES.includes(runtime)) return
  if (RETIRED.has(runtime))
    throw new EngineError(
      'invalid',
      `The runtime parameter of ${runtime} is no longer supported for creating or updating AWS Lambda functions. ` +
        'We recommend you use a supported runtime while creating or updating functions.',
    )
  throw new EngineError(
    'invalid',
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ` +
      `[${RUNTIMES.join(', ')}] or be a valid ARN`,
  )
}

function checkVariables(variables: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(variables).filter((name) => RESERVED_VARIABLES.has(name))
  if (reserved.length > 0)
    throw new EngineError(
      'invalid',
      'Lambda was unable to configure your environment variables because the environment variables you have ' +
        'provided contains reserved keys that are currently not supported for modification. ' +
        `Reserved keys used in this request: ${reserved.join(', ')}`,
    )
  const measured = JSON.stringify(variables)
  if (Buffer.byteLength(measured) > VARIABLES_BYTES)
    throw new EngineError(
      'invalid',
      'Lambda was unable to configure your environment variables because the environment variables you have ' +
        `provided exceeded the 4KB limit. String measured: ${measured}`,
    )
}

/** Throws EngineError 'invalid' when code and layers together are more than fits in a function. */
export function checkSize({ layers }: FunctionSettings, codePackage: CodePackage): void {
  if (layers.length === 0) return
  const actual = layers.reduce((sum, layer) => sum + layer.unzippedBytes, codePackage.unzippedBytes)
  if (actual > UNZIPPED_BYTES)
    throw new EngineError(
      'invalid',
      `Function code combined with layers exceeds the maximum allowed size of ${UNZIPPED_BYTES} bytes. ` +
        `The actual size is ${actual} bytes.`,
    )
}

/** Throws EngineError 'invalid' when a function would carry too many tags. */
export function checkTagCount(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > MAX_TAGS)
    throw new EngineError('invalid', 'Number of tags exceeds resource tag limit.')
}
