import { createHash } from 'node:crypto'
import type {
  AliasRecord,
  EventSettings,
  FunctionRecord,
  FunctionSettings,
  UrlRecord,
  VersionRecord,
} from '../../runtime/registry/function-record.ts'
import { arnOf, LATEST } from '../../runtime/registry/function-record.ts'
import { runtimeManagementOf } from './runtime-management.ts'
import { isDeactivated } from '../../runtime/registry/scaling.ts'
import { capacityConfig } from './capacity-settings.ts'

/** A JSON object on its way out; members that are undefined are left out by JSON itself. */
export type Wire = Record<string, unknown>

/** `2026-01-02T03:04:05.678+0000`. */
export const isoTime = (timeMs: number): string => new Date(timeMs).toISOString().replace('Z', '+0000')

/** A version's FunctionConfiguration. `qualifier` goes into the ARN; '' leaves it out. */
export const functionConfiguration = (
  record: FunctionRecord,
  version: VersionRecord,
  qualifier: string,
): Wire => ({
  ...configurationRow(record, version, qualifier),
  RuntimeVersionConfig: version.settings.image === undefined ? runtimeVersion(record, version) : undefined,
  ...stateMembers(version),
  ...(isDeactivated(record, version.version) ? { State: 'Deactivated' } : {}),
})

/** As lists show a version: without its states. */
export function configurationRow(record: FunctionRecord, version: VersionRecord, qualifier: string): Wire {
  const { settings, codePackage } = version
  return {
    FunctionName: record.functionName,
    FunctionArn: arnOf(record, qualifier),
    Runtime: settings.image === undefined ? settings.runtime : undefined,
    Role: settings.role,
    Handler: settings.image === undefined ? settings.handler : undefined,
    CodeSize: codePackage.sizeBytes,
    Description: settings.description,
    Timeout: Math.ceil(settings.timeoutMs / 1000),
    MemorySize: settings.memoryMb,
    LastModified: isoTime(version.modifiedAtMs),
    CodeSha256: codePackage.sha256,
    Version: version.version,
    ...keptMembers(version),
    Layers: layerRows(settings),
    Environment: settings.variables === undefined ? undefined : { Variables: settings.variables },
    DeadLetterConfig:
      settings.deadLetterTarget === undefined ? undefined : { TargetArn: settings.deadLetterTarget },
    RevisionId: version.revisionId,
    PackageType: settings.image === undefined ? 'Zip' : 'Image',
    Architectures: [settings.architecture],
    EphemeralStorage: { Size: settings.ephemeralMb },
    LoggingConfig: loggingConfig(settings),
    CapacityProviderConfig: capacityConfig(settings.capacity),
    TenancyConfig: settings.perTenant === true ? { TenantIsolationMode: 'PER_TENANT' } : undefined,
  }
}

/** What was stored unread, in the form in which it is shown. */
const keptMembers = ({ version, settings: { kept } }: VersionRecord): Wire => {
  const applyOn = kept.SnapStartApplyOn ?? 'None'
  const optimized = applyOn === 'PublishedVersions' && version !== LATEST
  return {
    VpcConfig: kept.VpcConfig,
    KMSKeyArn: kept.KMSKeyArn,
    TracingConfig: { Mode: kept.TracingMode ?? 'PassThrough' },
    SnapStart: { ApplyOn: applyOn, OptimizationStatus: optimized ? 'On' : 'Off' },
    FileSystemConfigs: kept.FileSystemConfigs,
    ImageConfigResponse: kept.ImageConfig === undefined ? undefined : { ImageConfig: kept.ImageConfig },
  }
}

const layerRows = ({ layers }: FunctionSettings): Wire[] | undefined =>
  layers.length === 0 ? undefined : layers.map(({ arn, sizeBytes }) => ({ Arn: arn, CodeSize: sizeBytes }))

const loggingConfig = ({ logging }: FunctionSettings): Wire =>
  logging.format === 'Text'
    ? { LogFormat: 'Text', LogGroup: logging.group }
    : {
        LogFormat: 'JSON',
        ApplicationLogLevel: logging.applicationLevel,
        SystemLogLevel: logging.systemLevel,
        LogGroup: logging.group,
      }

/** A hash stands where the service names a patch level of its runtime, unless one was asked for by name. */
function runtimeVersion(record: FunctionRecord, { version, settings }: VersionRecord): Wire {
  const { runtimeVersionArn } = runtimeManagementOf(record, version)
  const hash = createHash('sha256').update(settings.runtime).digest('hex')
  const { region } = record.scope
  return { RuntimeVersionArn: runtimeVersionArn ?? `arn:aws:lambda:${region}::runtime:${hash}` }
}

/** The word for a version's state, alone. */
export function stateOf(record: FunctionRecord, number: string): string {
  if (isDeactivated(record, number)) return 'Deactivated'
  const kind = record.versions.get(number)?.state.kind ?? 'failed'
  return { pending: 'Pending', active: 'Active', failed: 'Failed' }[kind]
}

const CREATING = 'The function is being created.'

function stateMembers({ state, update }: VersionRecord): Wire {
  const members: Wire = {}
  if (state.kind === 'pending')
    Object.assign(members, { State: 'Pending', StateReason: CREATING, StateReasonCode: 'Creating' })
  else if (state.kind === 'active') members.State = 'Active'
  else
    Object.assign(members, { State: 'Failed', StateReason: state.reason, StateReasonCode: 'InternalError' })
  if (update.kind === 'in-progress')
    Object.assign(members, {
      LastUpdateStatus: 'InProgress',
      LastUpdateStatusReason: CREATING,
      LastUpdateStatusReasonCode: 'Creating',
    })
  else if (update.kind === 'successful') members.LastUpdateStatus = 'Successful'
  else if (update.kind === 'failed')
    Object.assign(members, {
      LastUpdateStatus: 'Failed',
      LastUpdateStatusReason: update.reason,
      LastUpdateStatusReasonCode: 'InternalError',
    })
  return members
}

export const aliasConfiguration = (record: FunctionRecord, alias: AliasRecord): Wire => ({
  AliasArn: arnOf(record, alias.name),
  Name: alias.name,
  FunctionVersion: alias.version,
  Description: alias.description,
  RoutingConfig:
    Object.keys(alias.weights).length === 0 ? undefined : { AdditionalVersionWeights: alias.weights },
  RevisionId: alias.revisionId,
})

/**
 * A function URL's configuration; `shown` says which operation answers, as each leaves out something else.
 */
export const urlConfiguration = (
  record: FunctionRecord,
  url: UrlRecord,
  ingressUrl: string,
  shown: 'created' | 'updated' | 'read',
): Wire => ({
  FunctionUrl: functionUrl(record, url, ingressUrl),
  FunctionArn: arnOf(record, url.qualifier),
  AuthType: url.auth === 'iam' ? 'AWS_IAM' : 'NONE',
  Cors: url.cors === null ? undefined : corsMembers(url.cors),
  CreationTime: new Date(url.createdAtMs).toISOString(),
  LastModifiedTime: shown === 'created' ? undefined : new Date(url.modifiedAtMs).toISOString(),
  InvokeMode: invokeMode(url, shown),
})

/** A mode that was never given is shown by reading operations alone. */
function invokeMode(url: UrlRecord, shown: 'created' | 'updated' | 'read'): string | undefined {
  if (url.invokeMode === null) return shown === 'read' ? 'BUFFERED' : undefined
  return url.invokeMode === 'buffered' ? 'BUFFERED' : 'RESPONSE_STREAM'
}

const corsMembers = (cors: NonNullable<UrlRecord['cors']>): Wire => ({
  AllowCredentials: cors.allowCredentials,
  AllowHeaders: cors.allowHeaders,
  AllowMethods: cors.allowMethods,
  AllowOrigins: cors.allowOrigins,
  ExposeHeaders: cors.exposeHeaders,
  MaxAge: cors.maxAgeSeconds,
})

/** `http://<id>.lambda-url.<region>.localhost:<port>/` of the listener that serves function URLs. */
function functionUrl({ scope }: FunctionRecord, { urlId }: UrlRecord, ingressUrl: string): string {
  const { protocol, hostname, port } = new URL(ingressUrl)
  const host = /^([\d.]+|\[.*\]|localhost)$/.test(hostname) ? 'localhost' : hostname
  return `${protocol}//${urlId}.lambda-url.${scope.region}.${host}${port === '' ? '' : `:${port}`}/`
}

export const eventConfiguration = (
  record: FunctionRecord,
  qualifier: string,
  settings: EventSettings,
): Wire => ({
  LastModified: settings.modifiedAtMs / 1000,
  FunctionArn: arnOf(record, qualifier),
  MaximumRetryAttempts: settings.maxRetries ?? undefined,
  MaximumEventAgeInSeconds: settings.maxAgeMs === null ? undefined : settings.maxAgeMs / 1000,
  DestinationConfig: {
    OnSuccess: settings.onSuccess === null ? {} : { Destination: settings.onSuccess },
    OnFailure: settings.onFailure === null ? {} : { Destination: settings.onFailure },
  },
})
