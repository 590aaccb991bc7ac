import type { IncomingMessage } from 'node:http'
import { allows, type Action } from '../../runtime/keys/grants.ts'
import type { Principal } from '../../runtime/keys/key-ring.ts'
import type { Scope } from '../../runtime/store/journal.ts'

/** Who sends a request that was let in, and whose records it means. */
export interface Caller {
  readonly principal: Principal
  /** Account and region of the functions it asks for. */
  readonly scope: Scope
}

const CALLER = Symbol('caller')

type Marked = IncomingMessage & { [CALLER]?: Caller; rawBody?: Buffer }

/** Notes on Node's request who sends it, for whoever answers it. */
export function markCaller(request: IncomingMessage, caller: Caller): void {
  const marked: Marked = request
  marked[CALLER] = caller
}

/** The caller of a request; undefined: nobody had to say. */
export const callerOf = (request: IncomingMessage | undefined): Caller | undefined =>
  (request as Marked | undefined)?.[CALLER] // a symbol of this file: nobody else sets it

/** The caller of a request in Hono's hands. `environment` is what `getRequestListener` passes along. */
export const callerIn = (environment: unknown): Caller | undefined =>
  callerOf((environment as { incoming?: IncomingMessage } | undefined)?.incoming) // as it documents

/** Hands a body on that was read to be verified; both Hono and the invocations look here first. */
export function keepBody(request: IncomingMessage, body: Buffer): void {
  const marked: Marked = request
  marked.rawBody = body
}

/** What `keepBody` kept. */
export function keptBody(request: IncomingMessage): Buffer | undefined {
  const marked: Marked = request
  return marked.rawBody
}

/** Whether a caller may do this to a function of an account; whoever need not say who they are may. */
export function mayReach(
  caller: Caller | undefined,
  action: Action,
  account: string,
  functionName: string | undefined,
): boolean {
  if (caller === undefined) return true
  const { grants } = caller.principal
  const isOwn = account === caller.principal.account || allows(grants, 'admin', undefined)
  return isOwn && allows(grants, action, functionName)
}

/** The identity's id as IAM shapes it: of a role's session with the session's name. */
export const uniqueIdOf = ({ kind, keyId, account, name }: Principal): string =>
  kind === 'engine' ? account : kind === 'key' ? `AIDA${keyId.slice(4)}` : `AROA${keyId.slice(4)}:${name}`

/** The identity as ARNs name it: a key is a user, a running function a role's session. */
export function arnOfPrincipal({ kind, account, name }: Principal): string {
  if (kind === 'session') return `arn:aws:sts::${account}:assumed-role/lambent/${name}`
  return kind === 'engine' ? `arn:aws:iam::${account}:root` : `arn:aws:iam::${account}:user/${name}`
}
