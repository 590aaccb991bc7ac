/** Plain Lambda code: answers with what the body asks for, or says what it was sent. */
export const config = { url: true }

export const handler = async (event) => {
  if (event.rawPath === '/throws') throw new Error('no')
  if (event.rawPath === '/answer') return JSON.parse(event.body).answer
  return {
    args: event.queryStringParameters ?? {},
    data: event.body === undefined ? undefined : JSON.parse(event.body),
    headers: event.headers,
    method: event.requestContext.http.method,
    origin: event.requestContext.http.sourceIp,
    path: event.rawPath,
    domain: event.requestContext.domainName,
    cookies: event.cookies,
  }
}
