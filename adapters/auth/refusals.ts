import type { AuthError, AuthErrorName } from './auth-error.ts'
import type { Wire } from './requirement.ts'

/** A refusal as it goes out. Headers are name, value, name, value. */
export interface AuthRefusal {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** The one place where an AuthError becomes an answer, in the protocol that was asked in. */
export function refusalOf(error: AuthError, wire: Wire, requestId: string): AuthRefusal {
  switch (wire) {
    case 'lambda':
    case 'json':
      return json(403, awsBody(error), ['x-amzn-RequestId', requestId, 'x-amzn-ErrorType', error.kind])
    case 'lambent':
      return ofLambent(error)
    case 'query':
      return ofQuery(error, requestId)
  }
}

function ofLambent({ kind, message }: AuthError): AuthRefusal {
  if (kind === 'AccessDeniedException') return json(403, { error: { code: 'Forbidden', message } }, [])
  const hint =
    'Send a key: lambent --key, LAMBENT_KEY, or the header Authorization: Bearer. lambent key create makes one.'
  const said = kind === 'MissingAuthenticationTokenException' ? 'This engine asks for a key.' : message
  return json(401, { error: { code: 'Unauthorized', message: said, hint } }, ['www-authenticate', 'Bearer'])
}

/** The member is spelt `Message` in refusals by policy, `message` in all others. */
const awsBody = ({ kind, message }: AuthError): object =>
  kind === 'AccessDeniedException' ? { __type: kind, Message: message } : { __type: kind, message }

const QUERY_CODES: Record<AuthErrorName, string> = {
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  IncompleteSignatureException: 'IncompleteSignature',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ExpiredTokenException: 'ExpiredToken',
  AccessDeniedException: 'AccessDenied',
}

function ofQuery({ kind, message }: AuthError, requestId: string): AuthRefusal {
  const text = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const error = `<Error><Type>Sender</Type><Code>${QUERY_CODES[kind]}</Code><Message>${text}</Message></Error>`
  const body = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}<RequestId>${requestId}</RequestId></ErrorResponse>`
  return {
    status: 403,
    headers: ['content-type', 'text/xml', 'x-amzn-RequestId', requestId],
    body: Buffer.from(body),
  }
}

const json = (status: number, body: object, headers: readonly string[]): AuthRefusal => ({
  status,
  headers: ['content-type', 'application/json', ...headers],
  body: Buffer.from(JSON.stringify(body)),
})
