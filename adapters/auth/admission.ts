import type { Clock } from '../../runtime/clock.ts'
import { allows } from '../../runtime/keys/grants.ts'
import type { KeyRing, Principal } from '../../runtime/keys/key-ring.ts'
import { functionArn, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { DOWNLOADS } from '../lambda/code-links.ts'
import { decodeLabel } from '../lambda/labels.ts'
import { DEFAULT_REGION, scopeFrom } from '../lambda/scope.ts'
import { AuthError, mismatch, missingToken } from './auth-error.ts'
import { Authenticator, type Claim, type Transport } from './authenticator.ts'
import { arnOfPrincipal, type Caller } from './caller.ts'
import { soleHeader, type SignedRequest } from './canonical.ts'
import { evaluatePolicy, type PolicyVerdict } from './policy.ts'
import { accountNamed, functionNamed, ofQueryAction, requirementOf, type Requirement } from './requirement.ts'

/** What letting requests in is decided with. */
export interface AdmissionParts {
  readonly mode: 'open' | 'keys' | 'policies'
  readonly keys: KeyRing
  readonly clock: Clock
  readonly registry: { find(scope: Scope, functionName: string): FunctionRecord | undefined }
}

/** A request that may be let in once its body is known. */
export interface Candidate {
  /** How it is answered when it is refused. */
  readonly wire: Requirement['wire']
  /** Whether `finish` looks at the body. */
  readonly needsBody: boolean
  /** Who sends it; undefined: nobody has to say. Throws AuthError. */
  finish(body: Buffer): Caller | undefined
}

const EMPTY = Buffer.alloc(0)
/** A request of which nobody asks who sends it. */
const ANYBODY: Candidate = { wire: 'lambda', needsBody: false, finish: () => undefined }
const ODD_SEGMENT = /\/(\/|\.{1,2}(\/|$))/

/**
 * Decides who gets in at the api port: whether a request is who it says (authentication), and whether that
 * one may do what it asks for (its key's scopes; with `policies` also what a function's policy grants to
 * other accounts). With `open` only those who name a key of ours are looked at.
 */
export class Admission {
  readonly authenticator: Authenticator
  readonly #parts: AdmissionParts

  constructor(parts: AdmissionParts) {
    this.#parts = parts
    this.authenticator = new Authenticator(parts)
  }

  /** False: everybody gets in, and nothing about a request needs to be looked at. */
  get isNeeded(): boolean {
    return this.#parts.mode !== 'open' || !this.#parts.keys.isEmpty
  }

  /** How a request that is refused is answered. */
  wireOf(request: SignedRequest): Requirement['wire'] {
    return requirementOf(request).wire
  }

  /** Judges what can be judged without the body. Throws AuthError. */
  begin(request: SignedRequest, transport: Transport): Candidate {
    const isAsked = this.#parts.mode !== 'open' || this.authenticator.isOurs(request)
    if (!isAsked || isPublic(request)) return ANYBODY
    const requirement = requirementOf(request)
    const claim = this.authenticator.identify(request, requirement.services, transport)
    if (claim === undefined) throw missingToken()
    // a signature covers the path without these, but routes are found with them
    if (ODD_SEGMENT.test(request.url.split('?', 1)[0] ?? '')) throw mismatch()
    const scope = scopeFrom(claim.principal.account, claim.region ?? regionHeader(request))
    const isInBody = requirement.bodyMember !== undefined
    if (!isInBody && claim.checkBody === undefined) {
      const caller = this.#authorize(claim, scope, requirement, EMPTY)
      return { wire: requirement.wire, needsBody: false, finish: () => caller }
    }
    return {
      wire: requirement.wire,
      needsBody: true,
      finish: (body) => {
        claim.checkBody?.(body)
        return this.#authorize(claim, scope, requirement, body)
      },
    }
  }

  /** Judges a request whose whole body is there. Throws AuthError. */
  admit(request: SignedRequest, body: Buffer, transport: Transport): Caller | undefined {
    return this.begin(request, transport).finish(body)
  }

  #authorize({ principal }: Claim, scope: Scope, requirement: Requirement, body: Buffer): Caller {
    const { label, bodyMember } = requirement
    const asked = bodyMember === 'Action' ? ofQueryAction(requirement, formAction(body)) : requirement
    const named =
      label ?? (asked.bodyMember === 'FunctionName' ? jsonMember(body, 'FunctionName') : undefined)
    const owner = label === undefined ? undefined : accountNamed(label)
    if (owner !== undefined && owner !== scope.account && this.#parts.mode === 'policies')
      return this.#authorizeAcross(principal, scopeFrom(owner, scope.region), asked, label ?? '')
    const functionName =
      named === undefined ? undefined : functionNamed(named, scope, label === undefined ? 'body' : 'path')
    if (asked.action !== undefined && !allows(principal.grants, asked.action, functionName))
      throw denied(principal, asked.operation, scope, functionName, 'identity')
    const isJudged = this.#parts.mode === 'policies' && label !== undefined && !isRepair(principal, asked)
    if (isJudged && functionName !== undefined)
      if (this.#verdict(principal, scope, asked, label, functionName) === 'denied')
        throw denied(principal, asked.operation, scope, functionName, 'explicit deny')
    return { principal, scope }
  }

  /** Into another account leads only what both sides allow. */
  #authorizeAcross(principal: Principal, scope: Scope, asked: Requirement, label: string): Caller {
    const functionName = functionNamed(label, scope, 'path')
    if (asked.action === undefined || !allows(principal.grants, asked.action, functionName))
      throw denied(principal, asked.operation, scope, functionName, 'identity')
    const verdict =
      functionName === undefined ? 'unsaid' : this.#verdict(principal, scope, asked, label, functionName)
    if (verdict === 'allowed') return { principal, scope }
    throw denied(principal, asked.operation, scope, functionName, 'resource')
  }

  /** What the policy of the function, or of the qualifier that is named, says. */
  #verdict(
    principal: Principal,
    scope: Scope,
    asked: Requirement,
    label: string,
    functionName: string,
  ): PolicyVerdict {
    const qualifier = asked.qualifier ?? qualifierIn(label) ?? ''
    const record = this.#parts.registry.find(scope, functionName)
    return evaluatePolicy(record?.policies.get(qualifier)?.statements ?? [], {
      principal: { kind: 'identity', arn: arnOfPrincipal(principal), account: principal.account },
      action: asked.operation,
      resource: functionArn(scope, functionName, qualifier),
      context: { 'aws:principalorgid': principal.organization ?? undefined },
    })
  }
}

/** A policy that denies everything to everybody can still be taken back by who administers the engine. */
const isRepair = (principal: Principal, { operation }: Requirement): boolean =>
  /(Policy|Permission)$/.test(operation) && allows(principal.grants, 'admin', undefined)

/** As IAM words it. */
export function denied(
  principal: Principal,
  operation: string,
  scope: Scope,
  functionName: string | undefined,
  why: 'identity' | 'resource' | 'explicit deny',
): AuthError {
  const resource = functionName === undefined ? '*' : functionArn(scope, functionName)
  const because =
    why === 'explicit deny'
      ? 'with an explicit deny in a resource-based policy'
      : `because no ${why}-based policy allows the ${operation} action`
  return new AuthError(
    'AccessDeniedException',
    `User: ${arnOfPrincipal(principal)} is not authorized to perform: ${operation} on resource: ${resource} ${because}`,
  )
}

/** Links to download code carry a proof of their own. */
const isPublic = ({ method, url }: SignedRequest): boolean => method === 'GET' && url.startsWith(DOWNLOADS)

/** Who has a bearer token says the region in a header of ours. */
const regionHeader = ({ rawHeaders }: SignedRequest): string =>
  soleHeader(rawHeaders, 'x-lambent-region') ?? DEFAULT_REGION

const formAction = (body: Buffer): string => new URLSearchParams(body.toString('latin1')).get('Action') ?? ''

function jsonMember(body: Buffer, name: string): string | undefined {
  try {
    const value = (JSON.parse(body.toString('utf8')) as Record<string, unknown> | null)?.[name] // any JSON, looked at
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined // the operation itself says what is wrong with it
  }
}

const qualifierIn = (label: string): string | undefined =>
  /:function:[^:/]+:([^:/]+)/.exec(decodeLabel(label))?.[1]
