import { allows } from '../../runtime/keys/grants.ts'
import type { Principal } from '../../runtime/keys/key-ring.ts'
import { functionArn, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { forbidden, unproven } from '../ingress/failures.ts'
import type { IamAuthenticator, IamDecision, IamIdentity, SignedRequest } from '../ingress/iam.ts'
import type { Reply } from '../ingress/reply.ts'
import type { UrlTarget } from '../ingress/url-target.ts'
import { AuthError } from './auth-error.ts'
import type { Authenticator } from './authenticator.ts'
import { arnOfPrincipal, uniqueIdOf } from './caller.ts'
import { transportOf } from './gate.ts'
import { evaluatePolicy, type PolicyPrincipal, type PolicyVerdict } from './policy.ts'

/** Who may call function URLs and routes. */
export interface UrlGate {
  /** Where AWS_IAM is asked for. */
  readonly iam: IamAuthenticator
  /** Where nothing is asked for: why everybody is turned away nevertheless. */
  readonly refusePublic: (target: UrlTarget) => Reply | undefined
}

/** What it is decided with. */
export interface UrlGateParts {
  readonly mode: 'open' | 'keys' | 'policies'
  readonly authenticator: Authenticator
  readonly registry: { find(scope: Scope, functionName: string): FunctionRecord | undefined }
}

const NOT_GRANTED = 'The policy must grant lambda:InvokeFunctionUrl and lambda:InvokeFunction to everybody.'
const NOT_SIGNED = 'AWS_IAM wants a signature of a key of this engine.'
const NOT_ALLOWED = 'Neither the scopes of this key nor the policy of the function allow it.'

/**
 * AWS_IAM always wants a signature of one of our keys: the public may reach this port whatever the api port
 * asks for. Policies are asked with `policies` alone: then AuthType NONE needs both grants that it needs on
 * AWS, and so do callers of other accounts.
 */
export function createUrlGate(parts: UrlGateParts): UrlGate {
  return {
    iam: (signed) => decide(parts, signed),
    refusePublic: (target) => {
      if (parts.mode !== 'policies') return undefined
      const said = verdictOf(parts, target, 'NONE', { kind: 'anonymous' }, undefined)
      return said === 'allowed' ? undefined : forbidden(NOT_GRANTED)
    },
  }
}

function decide(parts: UrlGateParts, signed: SignedRequest): IamDecision {
  try {
    const principal = proven(parts.authenticator, signed)
    if (principal === undefined) return { kind: 'refused', reply: forbidden(NOT_SIGNED) }
    return isAllowed(parts, signed, principal)
      ? { kind: 'allowed', identity: identityOf(principal) }
      : { kind: 'refused', reply: forbidden(NOT_ALLOWED) }
  } catch (error) {
    if (error instanceof AuthError) return { kind: 'refused', reply: unproven(error) }
    throw error
  }
}

/** Who has signed the request; undefined: nobody. Bearer tokens are for the api port. */
function proven(authenticator: Authenticator, signed: SignedRequest): Principal | undefined {
  const { request, body, service, scope } = signed
  const { method = '', url = '', rawHeaders } = request
  const claim = authenticator.identify({ method, url, rawHeaders }, [service], transportOf(request))
  if (claim?.region === undefined) return undefined
  if (claim.region !== scope.region)
    throw new AuthError('InvalidSignatureException', 'Credential should be scoped to a valid region. ')
  claim.checkBody?.(body)
  return claim.principal
}

/**
 * In its own account either side is enough, from another one both are needed, and what a policy denies is
 * denied. Routes have no policies.
 */
function isAllowed(parts: UrlGateParts, signed: SignedRequest, principal: Principal): boolean {
  const { account, organization } = principal
  const may = allows(principal.grants, 'invoke', signed.functionName)
  const identity = { kind: 'identity', arn: arnOfPrincipal(principal), account } as const
  const said =
    parts.mode === 'policies' && signed.service === 'lambda'
      ? verdictOf(parts, signed, 'AWS_IAM', identity, organization ?? undefined)
      : 'unsaid'
  if (said === 'denied') return false
  return account === signed.scope.account ? may || said === 'allowed' : may && said === 'allowed'
}

/** Since October 2025 AWS wants both grants: one for the URL, one for the function behind it. */
function verdictOf(
  { registry }: UrlGateParts,
  target: Pick<UrlTarget, 'scope' | 'functionName' | 'qualifier'>,
  authType: 'NONE' | 'AWS_IAM',
  principal: PolicyPrincipal,
  organization: string | undefined,
): PolicyVerdict {
  const { scope, functionName, qualifier = '' } = target
  const statements = registry.find(scope, functionName)?.policies.get(qualifier)?.statements ?? []
  const context = {
    'lambda:functionurlauthtype': authType,
    'lambda:invokedviafunctionurl': 'true',
    'aws:principalorgid': organization,
  }
  const resource = functionArn(scope, functionName, qualifier)
  const verdicts = ['lambda:InvokeFunctionUrl', 'lambda:InvokeFunction'].map((action) =>
    evaluatePolicy(statements, { principal, action, resource, context }),
  )
  if (verdicts.includes('denied')) return 'denied'
  return verdicts.every((verdict) => verdict === 'allowed') ? 'allowed' : 'unsaid'
}

const identityOf = (principal: Principal): IamIdentity => ({
  accessKey: principal.keyId,
  accountId: principal.account,
  callerId: uniqueIdOf(principal),
  cognitoIdentity: null,
  principalOrgId: principal.organization,
  userArn: arnOfPrincipal(principal),
  userId: uniqueIdOf(principal),
})
