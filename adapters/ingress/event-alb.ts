import { isUtf8 } from 'node:buffer'
import type { HttpRequest } from './event.ts'
import {
  allValues,
  headerIn,
  headerLists,
  lastValues,
  parameterLists,
  type ValueList,
} from './header-lists.ts'

const TEXT = /^\s*(text\/|application\/(json|javascript|xml)\s*(;|$))/i

/**
 * An event of an application load balancer. Parameters keep their escapes; with multi-value headers on there
 * are lists and nothing else.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
export function albEvent(
  request: HttpRequest,
  { targetGroupArn, multiValue }: { targetGroupArn: string; multiValue: boolean },
): Record<string, unknown> {
  const { body } = request
  const headers = headerLists(request).map(({ name, values }) => ({ name: name.toLowerCase(), values }))
  const parameters = parameterLists(request.rawQueryString, false)
  const encoded = body.length > 0 && !isText(headers, body)
  return {
    requestContext: { elb: { targetGroupArn } },
    httpMethod: request.method,
    path: request.rawPath,
    ...(multiValue
      ? {
          multiValueQueryStringParameters: allValues(parameters) ?? {},
          multiValueHeaders: allValues(headers) ?? {},
        }
      : { queryStringParameters: lastValues(parameters) ?? {}, headers: lastValues(headers) ?? {} }),
    body: body.toString(encoded ? 'base64' : 'utf8'),
    isBase64Encoded: encoded,
  }
}

function isText(headers: readonly ValueList[], body: Buffer): boolean {
  if (headerIn(headers, 'content-encoding') !== undefined) return false
  return TEXT.test(headerIn(headers, 'content-type') ?? '') && isUtf8(body)
}
