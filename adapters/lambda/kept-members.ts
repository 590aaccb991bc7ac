import { createHash } from 'node:crypto'
import { EngineError } from '../../runtime/errors.ts'
import type { FunctionSettings } from '../../runtime/registry/function-record.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { pattern, type Constraints } from './constraints.ts'
import type { Fields } from './fields.ts'
import { checkImageConfig, readImageConfig } from './images.ts'

/** Members of a configuration that are kept and shown, and that the engine itself has no use for. */

/** What a key's ARN looks like; '' clears it. */
export const KMS_KEY = pattern(String.raw`(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()`)
const SUBNET = pattern('subnet-[0-9a-z]*')
const SECURITY_GROUP = pattern('sg-[0-9a-zA-Z]*')
const ACCESS_POINT = pattern(
  String.raw`arn:aws[a-zA-Z-]*:elasticfilesystem:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}`,
)
const MOUNT_PATH = pattern('/mnt/[a-zA-Z0-9-_.]+')
const SNAPSHOTS = /^(java(11|17|21|25)(\.al2023)?|python3\.1[2-9]|dotnet(8|10))$/

/** What the model says about these members. */
export function checkKept(body: Fields, constraints: Constraints): void {
  constraints.oneOf(body.fields('TracingConfig')?.text('Mode'), 'tracingConfig.mode', [
    'Active',
    'PassThrough',
  ])
  constraints.oneOf(body.fields('SnapStart')?.text('ApplyOn'), 'snapStart.applyOn', [
    'PublishedVersions',
    'None',
  ])
  constraints.pattern(body.text('KMSKeyArn'), 'kMSKeyArn', KMS_KEY)
  checkImageConfig(body, constraints)
  const vpc = body.fields('VpcConfig')
  checkIds(vpc?.texts('SubnetIds'), 'vpcConfig.subnetIds', SUBNET, 16, constraints)
  checkIds(vpc?.texts('SecurityGroupIds'), 'vpcConfig.securityGroupIds', SECURITY_GROUP, 5, constraints)
  const systems = body.list('FileSystemConfigs') ?? []
  if (systems.length > 1)
    constraints.add(
      systems.map((one) => one.text('Arn') ?? ''),
      'fileSystemConfigs',
      'Member must have length less than or equal to 1',
    )
  for (const [index, system] of systems.entries()) {
    const at = `fileSystemConfigs.${index + 1}.member`
    constraints.required(system.text('Arn'), `${at}.arn`)
    constraints.pattern(system.text('Arn'), `${at}.arn`, ACCESS_POINT)
    constraints.required(system.text('LocalMountPath'), `${at}.localMountPath`)
    constraints.length(system.text('LocalMountPath'), `${at}.localMountPath`, 0, 160)
    constraints.pattern(system.text('LocalMountPath'), `${at}.localMountPath`, MOUNT_PATH)
  }
}

function checkIds(
  ids: readonly string[] | undefined,
  at: string,
  expected: { source: string; expression: RegExp },
  maxLength: number,
  constraints: Constraints,
): void {
  if (ids === undefined) return
  if (ids.length > maxLength)
    constraints.add(ids, at, `Member must have length less than or equal to ${maxLength}`)
  if (ids.some((id) => !expected.expression.test(id)))
    constraints.add(
      ids,
      at,
      'Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have ' +
        `length greater than or equal to 0, Member must satisfy regular expression pattern: ${expected.source}]`,
    )
}

/** What is kept after `body` over what was kept before. Throws EngineError 'invalid'. */
export function readKept(
  body: Fields,
  base: FunctionSettings['kept'],
  runtime: string,
  scope: Scope,
): FunctionSettings['kept'] {
  const key = body.text('KMSKeyArn')
  const systems = body.list('FileSystemConfigs')
  const applyOn = body.fields('SnapStart')?.text('ApplyOn') ?? base['SnapStartApplyOn']
  if (applyOn === 'PublishedVersions' && !SNAPSHOTS.test(runtime))
    throw new EngineError('invalid', `${runtime} is not supported for SnapStart enabled functions.`)
  return {
    VpcConfig: readVpc(body, scope) ?? base['VpcConfig'],
    KMSKeyArn: key === '' ? undefined : (key ?? base['KMSKeyArn']),
    TracingMode: body.fields('TracingConfig')?.text('Mode') ?? base['TracingMode'],
    SnapStartApplyOn: applyOn,
    FileSystemConfigs: systems === undefined ? base['FileSystemConfigs'] : fileSystems(systems),
    ImageConfig: readImageConfig(body, base['ImageConfig']),
    SourceKMSKeyArn: base['SourceKMSKeyArn'],
  }
}

/** The key that a zip is encrypted with; every new zip says it anew, or has none. */
export const withSourceKey = (
  kept: FunctionSettings['kept'],
  source: Fields | undefined,
): FunctionSettings['kept'] => ({ ...kept, SourceKMSKeyArn: source?.text('SourceKMSKeyArn') })

function readVpc(body: Fields, scope: Scope): object | undefined {
  const vpc = body.fields('VpcConfig')
  if (vpc === undefined) return undefined
  const subnets = vpc.texts('SubnetIds') ?? []
  const groups = vpc.texts('SecurityGroupIds') ?? []
  if ((subnets.length === 0) !== (groups.length === 0))
    throw new EngineError('invalid', 'SecurityGroupIds and SubnetIds must coexist or be both empty list.')
  return {
    SubnetIds: subnets,
    SecurityGroupIds: groups,
    VpcId: subnets.length === 0 ? '' : vpcOf(scope),
    Ipv6AllowedForDualStack: vpc.flag('Ipv6AllowedForDualStack') ?? false,
  }
}

/** Nobody here knows which network a subnet is in: all of one account and region are in the same. */
const vpcOf = ({ account, region }: Scope): string =>
  `vpc-${createHash('sha256').update(`${account}/${region}`).digest('hex').slice(0, 17)}`

const fileSystems = (systems: readonly Fields[]): object[] | undefined =>
  systems.length === 0
    ? undefined
    : systems.map((one) => ({ Arn: one.text('Arn'), LocalMountPath: one.text('LocalMountPath') }))
