import type { Action } from '../../runtime/keys/grants.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { decodeLabel, operationPath, parseFunctionLabel, parseNewFunctionName } from '../lambda/labels.ts'
import { invokeAsyncTarget } from '../lambda/invoke-async.ts'
import { invokeTarget } from '../lambda/invocations.ts'
import type { SignedRequest } from './canonical.ts'
import { OPERATIONS } from './operations.ts'

/** The protocol in which a request is answered, also when it is refused. */
export type Wire = 'lambda' | 'lambent' | 'query' | 'json'

/** What a request needs before it is let in. */
export interface Requirement {
  readonly wire: Wire
  /** Services that a signature may name, the usual one first. */
  readonly services: readonly string[]
  /** As IAM writes it: `lambda:InvokeFunction`. */
  readonly operation: string
  /** Undefined: whoever has a key may. */
  readonly action: Action | undefined
  /** As it stands in the path, still encoded; undefined: the path names no function. */
  readonly label: string | undefined
  /** The `Qualifier` of the query. */
  readonly qualifier: string | undefined
  /** Where the body says what is asked for: a member that names the function, or a form's action. */
  readonly bodyMember: 'FunctionName' | 'Action' | undefined
}

/** What is needed for what a request asks for. What nobody knows needs the most that its method can mean. */
export function requirementOf({ method, url, rawHeaders }: SignedRequest): Requirement {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  // As the listener does: invocations come before every other route, wherever in a path they stand.
  const target = method === 'POST' ? (invokeTarget(url) ?? invokeAsyncTarget(url)) : undefined
  if (target !== undefined && !isLambent(path))
    return {
      ...plain('lambda', ['lambda'], 'lambda:InvokeFunction', 'invoke'),
      ...labelled(target.label, query),
    }
  if (isLambent(path)) return ofLambent(method, path, query)
  if (path === '/metrics') return plain('lambent', LAMBENT_SERVICES, 'lambent:GetMetrics', 'read')
  if (path === '/') return ofRoot(method, query, headerOf(rawHeaders, 'x-amz-target'))
  const dated = operationPath(path)
  if (/^\/20\d\d-\d\d-\d\d\//.test(dated)) return ofLambda(method, dated, query)
  const isSchedule = /^\/(schedules|schedule-groups|tags)(\/|$)/.test(path)
  const services = isSchedule ? ['scheduler'] : ['lambda']
  return plain('lambda', services, `${services[0]}:${method}`, method === 'GET' ? 'read' : 'deploy')
}

const isLambent = (path: string): boolean => path === '/lambent/v1' || path.startsWith('/lambent/v1/')

const labelled = (
  label: string | undefined,
  query: URLSearchParams,
): Pick<Requirement, 'label' | 'qualifier'> => ({
  label,
  qualifier: query.get('Qualifier') ?? undefined,
})

/** AWS's older protocols: JSON with the operation in a header, or a form with it in a member. */
function ofRoot(method: string, query: URLSearchParams, target: string | undefined): Requirement {
  if (target !== undefined) return ofTarget(target)
  const asked = plain('query', ['sts', 'iam'], 'sts:', undefined)
  if (method === 'GET') return ofQueryAction(asked, query.get('Action') ?? '')
  return { ...asked, bodyMember: 'Action' }
}

/** What one action of the query protocol needs. */
export function ofQueryAction(requirement: Requirement, action: string): Requirement {
  if (action === 'GetCallerIdentity') return { ...requirement, operation: `sts:${action}`, action: undefined }
  const needed = /^(Get|List)/.test(action) ? 'read' : 'deploy'
  return { ...requirement, operation: `iam:${action}`, action: needed }
}

/** The function that a label or a member of a body means, in `scope`; undefined where it means none there. */
export function functionNamed(label: string, scope: Scope, from: 'path' | 'body'): string | undefined {
  try {
    if (from === 'path') return parseFunctionLabel(functionPart(label), undefined, scope).functionName
    return /[:]/.test(label)
      ? parseFunctionLabel(encodeURIComponent(label), undefined, scope).functionName
      : parseNewFunctionName(label, scope)
  } catch {
    return undefined // what is no label here is refused by the operation itself, in its own words
  }
}

/** The account that an ARN names, whole or cut short; undefined: none, so the caller's own. */
export const accountNamed = (label: string): string | undefined =>
  /^(?:arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:)?(\d{12}):function:/.exec(decodeLabel(label))?.[1]

/** ARNs of durable executions lie below the function's. */
function functionPart(label: string): string {
  const decoded = decodeLabel(label)
  const slash = decoded.indexOf('/')
  return slash < 0 ? label : encodeURIComponent(decoded.slice(0, slash))
}

const plain = (
  wire: Wire,
  services: readonly string[],
  operation: string,
  action: Action | undefined,
): Requirement => ({
  ...{ wire, services, operation, action },
  ...{ label: undefined, qualifier: undefined, bodyMember: undefined },
})

const ROUTES = OPERATIONS.map(([name, method, path, action]) => ({
  operation: `lambda:${name}`,
  method,
  segments: path.split('/'),
  action,
}))
const LAMBDA_SERVICES = ['lambda']

function ofLambda(method: string, path: string, query: URLSearchParams): Requirement {
  const segments = path.split('/')
  for (const route of ROUTES) {
    if (route.method !== method || route.segments.length !== segments.length) continue
    if (!route.segments.every((part, at) => part === segments[at] || part === '*' || part === '{function}'))
      continue
    const { operation, action } = route
    const label = segments[route.segments.indexOf('{function}')]
    const bodyMember = NAMED_IN_BODY.has(operation) ? 'FunctionName' : undefined
    const base = plain('lambda', LAMBDA_SERVICES, operation, action)
    return { ...base, ...labelled(label, query), bodyMember }
  }
  return plain('lambda', LAMBDA_SERVICES, `lambda:${method}`, method === 'GET' ? 'read' : 'deploy')
}

const NAMED_IN_BODY = new Set([
  'lambda:CreateFunction',
  'lambda:CreateEventSourceMapping',
  'lambda:UpdateEventSourceMapping',
])

const LAMBENT_SERVICES = ['lambda', 'lambent']

function ofLambent(method: string, path: string, query: URLSearchParams): Requirement {
  const [, , , noun = '', name] = path.split('/')
  const isPlain = /^[a-z.-]*$/.test(noun) // the router decodes escapes: what is written oddly needs all
  const action = isPlain ? lambentAction(method, noun, name) : 'admin'
  const base = plain('lambent', LAMBENT_SERVICES, `lambent:${method} ${noun}`, action)
  if (name !== undefined && name !== '') return NAMES_FUNCTION.has(noun) ? { ...base, label: name } : base
  const asked = noun === 'runs' ? query.get('function') : null
  return asked === null ? base : { ...base, label: encodeURIComponent(asked) }
}

const NAMES_FUNCTION = new Set(['functions', 'tasks', 'actors'])
const WORK = new Set(['tasks', 'objects', 'actors', 'placement-groups', 'jobs', 'runs'])

function lambentAction(method: string, noun: string, name: string | undefined): Action | undefined {
  // a run is judged by whom it belongs to, once it is found
  if (noun === 'runs' && method === 'GET' && name !== undefined) return undefined
  if (noun === 'caller') return undefined
  if (noun === 'keys') return 'admin'
  if (method === 'GET' || method === 'HEAD') return 'read'
  if (WORK.has(noun)) return 'invoke'
  return noun === 'schedules' || noun === 'routes' ? 'deploy' : 'admin'
}

/** AWS's JSON protocol: `Logs_20140328.GetLogEvents`. */
function ofTarget(target: string): Requirement {
  const dot = target.lastIndexOf('.')
  const [prefix = '', name] = [target.slice(0, dot), target.slice(dot + 1)]
  const service = prefix.startsWith('Logs_') ? 'logs' : prefix.toLowerCase().replace(/_.*$/, '')
  const reads = /^(Get|List|Describe|Filter|StartQuery|StopQuery|StartLiveTail|Test)/.test(name)
  return plain('json', [service, 'logs', 'lambda'], `${service}:${name}`, reads ? 'read' : 'deploy')
}

function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    if ((rawHeaders[index] ?? '').toLowerCase() === name) return rawHeaders[index + 1]
  return undefined
}
