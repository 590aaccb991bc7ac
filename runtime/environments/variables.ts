import type { SessionSecrets } from '../keys/key-ring.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { LaunchedProcess } from './launcher.ts'
import { familyOf, needsBridge, type RuntimeFamily } from './runtime-families.ts'

/** Region and account placeholders for credentials: enough for SDKs that insist on some. */
const PLACEHOLDER_SECRET = 'lambent'

/** Variables that change how a process starts: a booted spare cannot honour them any more. */
const START_TIME_VARIABLES = /^(NODE_OPTIONS|NODE_EXTRA_CA_CERTS|LD_.*|AWS_LAMBDA_EXEC_WRAPPER)$/

type Place = Pick<LaunchedProcess, 'taskRoot' | 'optRoot' | 'librariesRoot'>

/** Whether a booted spare can still become an environment of this version. */
export const fitsSpare = (version: FunctionVersion): boolean =>
  version.layerDirectories.length === 0 &&
  version.execution.network === 'full' &&
  version.ephemeralMb === 512 &&
  (version.execution.resources['gpu'] ?? 0) === 0 &&
  (needsBridge(version) || !Object.keys(version.environment).some((name) => START_TIME_VARIABLES.test(name)))

/** The variables that must be there when the process starts, for versions that do not fit a spare. */
export const startTimeVariables = (version: FunctionVersion): Record<string, string> =>
  Object.fromEntries(Object.entries(version.environment).filter(([name]) => START_TIME_VARIABLES.test(name)))

/**
 * All variables user code sees: Lambda's own and the function's, which may override the overridable ones.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
export function functionVariables(options: {
  version: FunctionVersion
  /** Where code and layers lie, as the process sees them. */
  place: Place
  logStream: string
  engineUrl: string | undefined
  provisioned: boolean
  /** Credentials that the engine's own APIs take; undefined: they take any. */
  session?: SessionSecrets | undefined
}): Record<string, string> {
  const { version, place, logStream, engineUrl, provisioned, session } = options
  const { region, account } = version.scope
  const { format, applicationLevel, group } = version.logging
  const family = familyOf(version.runtime)
  return {
    ...languageVariables(family, version.runtime, place),
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    ...(engineUrl === undefined ? {} : { AWS_ENDPOINT_URL_LAMBDA: engineUrl }),
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
    _AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1',
    _AWS_XRAY_DAEMON_PORT: '2000',
    ...version.environment,
    _HANDLER: version.handler,
    LAMBDA_TASK_ROOT: place.taskRoot,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    // Without a session the key id is how the engine tells accounts apart; the rest only satisfies SDKs.
    AWS_ACCESS_KEY_ID: session?.keyId ?? account,
    AWS_SECRET_ACCESS_KEY: session?.secret ?? PLACEHOLDER_SECRET,
    AWS_SESSION_TOKEN: session?.sessionToken ?? PLACEHOLDER_SECRET,
    ...(family === 'provided' ? {} : { AWS_EXECUTION_ENV: `AWS_Lambda_${version.runtime}` }),
    AWS_LAMBDA_FUNCTION_NAME: version.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: version.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(version.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: initializationOf(version, provisioned),
    AWS_LAMBDA_LOG_GROUP_NAME: group,
    AWS_LAMBDA_LOG_STREAM_NAME: logStream,
    ...(format === 'JSON' ? { AWS_LAMBDA_LOG_FORMAT: format, AWS_LAMBDA_LOG_LEVEL: applicationLevel } : {}),
    ...(version.execution.concurrency > 1
      ? { AWS_LAMBDA_MAX_CONCURRENCY: String(version.execution.concurrency) }
      : {}),
  }
}

/** What a language's programs and libraries are found by; managed runtimes come out of a shell script. */
function languageVariables(family: RuntimeFamily, runtime: string, place: Place): Record<string, string> {
  const { taskRoot, optRoot } = place
  const libraries = `/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:${taskRoot}:${taskRoot}/lib:${optRoot}/lib`
  const programs = `/usr/local/bin:/usr/bin/:/bin:${optRoot}/bin`
  // Every system but one comes with a place for a language.
  const isBare = runtime === 'provided.al2'
  return {
    PATH: isBare ? programs : `/var/lang/bin:${programs}`,
    LD_LIBRARY_PATH: isBare ? libraries : `/var/lang/lib:${libraries}`,
    ...(family === 'provided' ? {} : { PWD: taskRoot, SHLVL: '0' }),
    ...(family === 'nodejs' ? { NODE_PATH: nodePath(runtime, place) } : {}),
    ...(family === 'python' ? { PYTHONPATH: pythonPath(runtime, optRoot) } : {}),
  }
}

/** Python's own start looks in /opt; where layers lie elsewhere it has to be told. */
function pythonPath(runtime: string, optRoot: string): string {
  if (optRoot === '/opt') return '/var/runtime'
  return ['/var/runtime', `${optRoot}/python/lib/${runtime}/site-packages`, `${optRoot}/python`].join(':')
}

function nodePath(runtime: string, { taskRoot, optRoot, librariesRoot }: Place): string {
  const major = /^nodejs(\d+)/.exec(runtime)?.[1] ?? ''
  return [
    `${optRoot}/nodejs/node${major}/node_modules`,
    `${optRoot}/nodejs/node_modules`,
    librariesRoot,
    '/var/runtime',
    taskRoot,
  ].join(':')
}

/** What the code is loaded for: a capacity provider, to be ready, or a call. */
function initializationOf({ execution }: FunctionVersion, provisioned: boolean): string {
  if (execution.provider !== undefined) return 'lambda-managed-instances'
  return provisioned ? 'provisioned-concurrency' : 'on-demand'
}
