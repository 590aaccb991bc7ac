/** Why a request is not let in, in AWS's names. Every wire makes its own answer of it: see refusals.ts. */
export type AuthErrorName =
  | 'MissingAuthenticationTokenException'
  | 'IncompleteSignatureException'
  | 'InvalidSignatureException'
  | 'UnrecognizedClientException'
  | 'ExpiredTokenException'
  | 'AccessDeniedException'

/** A request whose caller is unknown, or known and not allowed. All of them are 403 on AWS's wires. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly kind: AuthErrorName
  constructor(kind: AuthErrorName, message: string) {
    super(message)
    this.kind = kind
  }
}

/** What AWS says of a signature that is not the one it calculates; it never says why. */
export const mismatch = (): AuthError =>
  new AuthError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  )

/** Nothing in the request says who sends it. */
export const missingToken = (): AuthError =>
  new AuthError('MissingAuthenticationTokenException', 'Missing Authentication Token')

/** A key id, a session token or a bearer token that nobody has. */
export const unrecognized = (): AuthError =>
  new AuthError('UnrecognizedClientException', 'The security token included in the request is invalid.')

/** A key past its end. */
export const expiredToken = (): AuthError =>
  new AuthError('ExpiredTokenException', 'The security token included in the request is expired')
