import type { Scope } from '../store/journal.ts'
import type { Change } from '../store/store.ts'
import type { CodePackage, FunctionLimits, FunctionVersion, LoggingSettings, RegistryEvent } from './types.ts'

/** The version that unqualified calls of functions in a capacity provider run, once there is one. */
export const LATEST_PUBLISHED = '$LATEST.PUBLISHED'
/** The version that is always there and always changes. */
export const LATEST = '$LATEST'

/** Instruction set a function's code was built for. */
export type Architecture = 'x86_64' | 'arm64'

/** A layer version as a function uses it, which stays whatever becomes of the layer. */
export interface LayerReference {
  readonly arn: string
  readonly packageId: string
  /** Bytes of its zip. */
  readonly sizeBytes: number
  readonly unzippedBytes: number
}

/** The container image that a function is made of instead of a zip. */
export interface ImageReference {
  readonly uri: string
  /** Hex SHA-256 that names the image. */
  readonly digest: string
}

/** The pool of processors that a function runs in, and what it takes of it. Null: the default. */
export interface CapacitySettings {
  readonly providerArn: string
  /** Invocations one environment runs at once. */
  readonly concurrency: number | null
  /** GiB of memory for each processor. */
  readonly memoryGibPerCpu: number | null
}

/** One version's configuration. */
export interface FunctionSettings {
  readonly runtime: string
  readonly handler: string
  readonly role: string
  readonly description: string
  /** As configured; the tag `lambent:timeout` wins over it when the version is made ready to run. */
  readonly timeoutMs: number
  readonly memoryMb: number
  readonly ephemeralMb: number
  readonly architecture: Architecture
  /** Undefined: never given, which reads back differently from an empty set. */
  readonly variables: Readonly<Record<string, string>> | undefined
  readonly logging: LoggingSettings
  /** Where events that failed for good go; undefined: nowhere. */
  readonly deadLetterTarget: string | undefined
  /** In the order in which they are merged. */
  readonly layers: readonly LayerReference[]
  /** Undefined for functions from zips. */
  readonly image: ImageReference | undefined
  /** What an adapter stores and gets back unread, by its own names: the engine has no use for it. */
  readonly kept: Readonly<Record<string, unknown>>
  /** Tenants of the function are kept apart; given when it is made, and never changed. */
  readonly perTenant?: boolean
  readonly capacity?: CapacitySettings
}

/** Whether a version can run. `failed` says why preparation did not succeed. */
export type VersionState = { kind: 'pending' } | { kind: 'active' } | { kind: 'failed'; reason: string }

/** How the last change of a version went; `none` until it was first ready. */
export type UpdateState =
  { kind: 'none' } | { kind: 'in-progress' } | { kind: 'successful' } | { kind: 'failed'; reason: string }

/** A version as it is stored and shown. Immutable: a change makes a new one. */
export interface VersionRecord {
  /** `$LATEST` or a number. */
  readonly version: string
  readonly settings: FunctionSettings
  readonly codePackage: CodePackage
  readonly revisionId: string
  readonly modifiedAtMs: number
  readonly state: VersionState
  readonly update: UpdateState
  /** Equal for equal code and settings: an unchanged function is not published twice. */
  readonly fingerprint: string
  /** What runs once it may: code and settings with the function's tags applied. */
  readonly runnable: FunctionVersion
  /** What runs while an update is under way; undefined: calls wait for the update. */
  readonly serving: FunctionVersion | undefined
  /** Generation whose preparation is under way; 0 when there is none. */
  readonly preparing: number
}

/** A name for a version, or for two with a share of requests. */
export interface AliasRecord {
  readonly name: string
  readonly version: string
  readonly description: string
  /** Share of requests, 0 to 1, that go to another version; at most one entry. */
  readonly weights: Readonly<Record<string, number>>
  readonly revisionId: string
}

/** Who may do what with a function or one of its qualifiers, in IAM's own format. */
export interface PolicyRecord {
  readonly revisionId: string
  /** The document's own members beside its statements; absent when it was made of single statements. */
  readonly frame?: Readonly<Record<string, unknown>>
  readonly statements: readonly PolicyStatement[]
}

/** An IAM policy statement; only `Sid` is looked at here. */
export interface PolicyStatement {
  readonly Sid?: string
  readonly [member: string]: unknown
}

/** Which browsers' pages may call a function URL. A member that was not given is absent. */
export interface CorsSettings {
  readonly allowCredentials?: boolean
  readonly allowHeaders?: readonly string[]
  readonly allowMethods?: readonly string[]
  readonly allowOrigins?: readonly string[]
  readonly exposeHeaders?: readonly string[]
  readonly maxAgeSeconds?: number
}

/** A public HTTP address of a function or alias. */
export interface UrlRecord {
  /** 32 characters of [a-z0-9]. */
  readonly urlId: string
  /** An alias, or '' for the function itself. */
  readonly qualifier: string
  readonly auth: 'none' | 'iam'
  /** Null: never given; it acts as `buffered`. */
  readonly invokeMode: 'buffered' | 'response-stream' | null
  readonly cors: CorsSettings | null
  readonly createdAtMs: number
  readonly modifiedAtMs: number
}

/** How events of one qualifier are retried and where their outcome goes. Null: the default. */
export interface EventSettings {
  readonly maxRetries: number | null
  readonly maxAgeMs: number | null
  readonly onSuccess: string | null
  readonly onFailure: string | null
  readonly modifiedAtMs: number
}

/** Environments that one qualifier keeps ready. */
export interface ProvisionedSettings {
  readonly requested: number
  readonly modifiedAtMs: number
}

/** Bounds of one version's environments. Null: the default. */
export interface ScalingSettings {
  readonly minEnvironments: number | null
  readonly maxEnvironments: number | null
}

/**
 * A function with all that belongs to it. Immutable but for `limits`, which the concurrency gate counts in.
 */
export interface FunctionRecord {
  readonly functionId: string
  readonly scope: Scope
  readonly functionName: string
  readonly createdAtMs: number
  readonly tags: Readonly<Record<string, string>>
  /** Highest number ever published; numbers are not given twice. */
  readonly lastVersion: number
  /** Highest generation ever given to one of its versions. */
  readonly lastGeneration: number
  /** What happens to a function that calls itself in circles. */
  readonly recursion: 'terminate' | 'allow'
  /** Null: not reserved. What `limits` says once this record is visible. */
  readonly reservedConcurrency: number | null
  readonly limits: FunctionLimits
  readonly versions: ReadonlyMap<string, VersionRecord>
  readonly aliases: ReadonlyMap<string, AliasRecord>
  /** By qualifier; '' is the function itself. */
  readonly policies: ReadonlyMap<string, PolicyRecord>
  /** By qualifier; '' is the function itself. */
  readonly urls: ReadonlyMap<string, UrlRecord>
  /** By qualifier. */
  readonly eventSettings: ReadonlyMap<string, EventSettings>
  /** What adapters hang on the function and get back unread, by names of theirs. */
  readonly attachments: ReadonlyMap<string, unknown>
  /** By qualifier: an alias or a published version. */
  readonly provisioned: ReadonlyMap<string, ProvisionedSettings>
  /** By version. */
  readonly scaling: ReadonlyMap<string, ScalingSettings>
}

/** What an operation wants done: the writes, then the new state, then who is told. */
export interface Edit<Result> {
  readonly changes: readonly Change[]
  /** The function as it will be; undefined deletes it. */
  readonly record: FunctionRecord | undefined
  readonly events: readonly RegistryEvent[]
  readonly result: Result
}

/** What stands for the code of a function from an image: nothing of it lies here. */
export const imagePackage = ({ digest }: ImageReference): CodePackage => ({
  id: digest,
  sha256: digest,
  sizeBytes: 0,
  unzippedBytes: 0,
  directory: '',
  zipPath: '',
})

/** The ARN of a function, or of one of its qualifiers. */
export function functionArn(scope: Scope, functionName: string, qualifier = ''): string {
  const arn = `arn:aws:lambda:${scope.region}:${scope.account}:function:${functionName}`
  return qualifier === '' ? arn : `${arn}:${qualifier}`
}

/** The ARN of a record, or of one of its qualifiers. */
export const arnOf = (record: FunctionRecord, qualifier?: string): string =>
  functionArn(record.scope, record.functionName, qualifier)

/** Whether a qualifier is shaped like an alias's name: letters, digits, `-` and `_`, and not digits alone. */
export const isAliasName = (qualifier: string): boolean =>
  /^[a-zA-Z0-9-_]+$/.test(qualifier) && !/^[0-9]+$/.test(qualifier)

/** A copy of `map` with one entry set, or removed when `value` is undefined. */
export function withEntry<Value>(
  map: ReadonlyMap<string, Value>,
  key: string,
  value: Value | undefined,
): ReadonlyMap<string, Value> {
  const copy = new Map(map)
  if (value === undefined) copy.delete(key)
  else copy.set(key, value)
  return copy
}
