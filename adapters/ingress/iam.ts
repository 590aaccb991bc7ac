import type { IncomingMessage } from 'node:http'
import type { Scope } from '../../runtime/store/journal.ts'
import { forbidden } from './failures.ts'
import type { Reply } from './reply.ts'

/** Who signed a request, as events show it: `requestContext.authorizer.iam`. */
export interface IamIdentity {
  readonly accessKey: string
  readonly accountId: string
  readonly callerId: string
  readonly cognitoIdentity: null
  readonly principalOrgId: string | null
  readonly userArn: string
  readonly userId: string
}

/** A request to a URL or route whose callers have to sign. */
export interface SignedRequest {
  readonly request: IncomingMessage
  readonly body: Buffer
  readonly scope: Scope
  readonly functionName: string
  readonly qualifier: string | undefined
  /** What the signature is for: `lambda` at function URLs, `execute-api` at routes. */
  readonly service: 'lambda' | 'execute-api'
}

/** Whether it may pass. */
export type IamDecision =
  | { kind: 'allowed'; identity: IamIdentity }
  /** For the caller, as AWS words it. */
  | { kind: 'refused'; reply: Reply }

/** Checks who signed a request and whether they may use the function. Must not throw or reject. */
export type IamAuthenticator = (signed: SignedRequest) => IamDecision | Promise<IamDecision>

/** Refuses everybody: there are no keys that a signature could be checked with. */
export const withoutKeys: IamAuthenticator = () => ({
  kind: 'refused',
  reply: forbidden('AWS_IAM needs access keys, which are not built yet; use AuthType NONE.'),
})
