import { Hono } from 'hono'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Clock } from '../../runtime/clock.ts'
import type { Principal } from '../../runtime/keys/key-ring.ts'
import type { Rng } from '../../runtime/rng.ts'
import { arnOfPrincipal, callerIn, uniqueIdOf } from '../auth/caller.ts'
import { scopeOf } from '../lambda/scope.ts'
import { Roles, type Role } from './roles.ts'
import { xml, type XmlValue } from './xml.ts'

const STS = 'https://sts.amazonaws.com/doc/2011-06-15/'
const IAM = 'https://iam.amazonaws.com/doc/2010-05-08/'
const MAX_BODY_BYTES = 262_144

/** One call in AWS's query protocol. */
interface Call {
  readonly action: string
  readonly account: string
  /** Who asks, where that has been proven. */
  readonly caller: Principal | undefined
  readonly parameters: URLSearchParams
}

/** A refusal in AWS's words. */
class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly status: 400 | 404 | 409
  readonly code: string
  constructor(status: 400 | 404 | 409, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * The few calls that scripts make before they create a function: who am I, and roles. Roles are kept in
 * memory and grant nothing; what is asked for beyond them is refused with InvalidAction. To be mounted at
 * `/`.
 */
export function createStsApi(options: { clock: Clock; rng: Rng }): Hono {
  const { clock, rng } = options
  const actions = createActions(options)
  const app = new Hono()
  const answer = async (context: Context): Promise<Response> => {
    const requestId = rng.uuid(clock.nowMs())
    const target = context.req.header('x-amz-target')
    if (target !== undefined) {
      const message = `${target.slice(0, 100)} is not built yet.`
      return context.json({ __type: 'UnknownOperationException', message }, 501)
    }
    const parameters = new URLSearchParams(
      context.req.method === 'GET' ? new URL(context.req.url).search : await context.req.text(),
    )
    const action = parameters.get('Action') ?? ''
    const namespace = action === 'GetCallerIdentity' ? STS : IAM
    const headers = { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }
    try {
      const caller = callerIn(context.env)
      const { account } = caller?.scope ?? scopeOf({ authorization: context.req.header('authorization') })
      const result = actions[action]?.({ action, account, caller: caller?.principal, parameters })
      if (result === undefined) {
        throw new QueryError(400, 'InvalidAction', `The action ${action.slice(0, 100)} is not built.`)
      }
      const body = { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } }
      return context.body(document(`${action}Response`, namespace, body), 200, headers)
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
      const body = {
        Error: { Type: 'Sender', Code: error.code, Message: error.message },
        RequestId: requestId,
      }
      return context.body(document('ErrorResponse', namespace, body), error.status, headers)
    }
  }
  const tooLarge = (context: Context): Response =>
    context.json({ __type: 'RequestTooLargeException', message: 'The request is too large.' }, 413)
  app.post('/', bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }), answer)
  app.get('/', answer)
  return app
}

const document = (name: string, namespace: string, body: XmlValue): string =>
  `<${name} xmlns="${namespace}">${xml(body)}</${name}>`

type Actions = Readonly<Record<string, ((call: Call) => XmlValue) | undefined>>

function createActions({ clock, rng }: { clock: Clock; rng: Rng }): Actions {
  const roles = new Roles()
  const find = ({ account, parameters }: Call): Role => {
    const name = required(parameters, 'RoleName')
    const role = roles.get(account, name)
    if (role !== undefined) return role
    throw new QueryError(404, 'NoSuchEntity', `The role with name ${name} cannot be found.`)
  }
  return {
    GetCallerIdentity: ({ account, caller }) => ({
      Arn: caller === undefined ? `arn:aws:iam::${account}:root` : arnOfPrincipal(caller),
      UserId: caller === undefined ? account : uniqueIdOf(caller),
      Account: account,
    }),
    CreateRole: (call) => {
      const role = newRole(call, clock.nowMs(), rng)
      if (roles.get(call.account, role.name) !== undefined) {
        throw new QueryError(409, 'EntityAlreadyExists', `Role with name ${role.name} already exists.`)
      }
      if (!roles.add(call.account, role)) {
        throw new QueryError(409, 'LimitExceeded', 'There are too many roles.')
      }
      return { Role: show(call.account, role) }
    },
    GetRole: (call) => ({ Role: show(call.account, find(call)) }),
    ListRoles: ({ account }) => ({
      Roles: roles.list(account).map((role) => show(account, role)),
      IsTruncated: false,
    }),
    DeleteRole: (call) => {
      roles.delete(call.account, find(call).name)
      return {}
    },
    AttachRolePolicy: (call) => {
      const role = find(call)
      bounded(role.attached).add(required(call.parameters, 'PolicyArn'))
      return {}
    },
    DetachRolePolicy: (call) => {
      find(call).attached.delete(required(call.parameters, 'PolicyArn'))
      return {}
    },
    ListAttachedRolePolicies: (call) => ({
      AttachedPolicies: Array.from(find(call).attached, (arn) => ({
        PolicyName: arn.slice(arn.lastIndexOf('/') + 1),
        PolicyArn: arn,
      })),
      IsTruncated: false,
    }),
    PutRolePolicy: (call) => {
      const name = required(call.parameters, 'PolicyName')
      bounded(find(call).policies).set(name, required(call.parameters, 'PolicyDocument'))
      return {}
    },
    GetRolePolicy: (call) => {
      const role = find(call)
      const name = required(call.parameters, 'PolicyName')
      const policy = role.policies.get(name)
      if (policy === undefined) {
        throw new QueryError(404, 'NoSuchEntity', `The role policy with name ${name} cannot be found.`)
      }
      return { RoleName: role.name, PolicyName: name, PolicyDocument: encodeURIComponent(policy) }
    },
    DeleteRolePolicy: (call) => {
      find(call).policies.delete(required(call.parameters, 'PolicyName'))
      return {}
    },
    ListRolePolicies: (call) => ({ PolicyNames: [...find(call).policies.keys()], IsTruncated: false }),
    ListInstanceProfilesForRole: (call) => {
      find(call)
      return { InstanceProfiles: [], IsTruncated: false }
    },
  }
}

const MAX_POLICIES = 100

function bounded<Kept extends { readonly size: number }>(kept: Kept): Kept {
  if (kept.size < MAX_POLICIES) return kept
  throw new QueryError(409, 'LimitExceeded', `A role may have at most ${MAX_POLICIES} policies.`)
}

const ROLE_NAME = /^[\w+=,.@-]{1,64}$/

function newRole({ parameters }: Call, createdAtMs: number, rng: Rng): Role {
  const name = required(parameters, 'RoleName')
  if (!ROLE_NAME.test(name)) {
    throw new QueryError(400, 'ValidationError', 'A role name is 1 to 64 of [A-Za-z0-9_+=,.@-].')
  }
  const tags = new Map<string, string>()
  for (let index = 1; index <= MAX_POLICIES; index += 1) {
    const key = parameters.get(`Tags.member.${index}.Key`)
    if (key === null) break
    tags.set(key, parameters.get(`Tags.member.${index}.Value`) ?? '')
  }
  return {
    name,
    path: parameters.get('Path') ?? '/',
    id: `AROA${rng.bytes(8).toString('hex').toUpperCase()}`,
    createdAtMs,
    description: parameters.get('Description') ?? '',
    assumePolicy: required(parameters, 'AssumeRolePolicyDocument'),
    policies: new Map(),
    attached: new Set(),
    tags,
  }
}

const show = (account: string, role: Role): XmlValue => ({
  Path: role.path,
  RoleName: role.name,
  RoleId: role.id,
  Arn: `arn:aws:iam::${account}:role${role.path}${role.name}`,
  CreateDate: new Date(role.createdAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
  AssumeRolePolicyDocument: encodeURIComponent(role.assumePolicy),
  Description: role.description === '' ? undefined : role.description,
  MaxSessionDuration: 3600,
  Tags: role.tags.size === 0 ? undefined : Array.from(role.tags, ([Key, Value]) => ({ Key, Value })),
})

function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name)
  if (value !== null && value !== '') return value
  throw new QueryError(400, 'ValidationError', `${name} is missing.`)
}
