import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, FunctionError, LambentError, type Client } from '../../runtime/sdk/client.ts'
import { rejects } from '../support/assert.ts'

interface Seen {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}

/** An engine that answers one request with `answer` and keeps what it was asked. */
async function withEngine(
  answer: { status?: number; headers?: Record<string, string>; body?: unknown } | 'never',
  use: (client: Client, seen: Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    seen.push({ method: request.method, url: request.url, headers: request.headers, body })
    if (answer === 'never') return
    response.writeHead(answer.status ?? 200, answer.headers ?? {})
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body))
  }
  const server = createServer((request, response) => void receive(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo // it listens on TCP
    await use(connect(`http://127.0.0.1:${port}/base/`, { key: 'secret' }), seen)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const clients = suite('the client')

clients('an invocation carries payload, qualifier, type and key', () =>
  withEngine({ body: { total: 3 } }, async (client, seen) => {
    const result = await client.invoke<{ total: number }>('orders', { a: 'ż' }, { qualifier: 'live' })

    assert.equal(result, { total: 3 })
    assert.is(seen[0]?.method, 'POST')
    assert.is(seen[0]?.url, '/base/2015-03-31/functions/orders/invocations?Qualifier=live')
    assert.is(seen[0]?.headers['x-amz-invocation-type'], 'RequestResponse')
    assert.is(seen[0]?.headers['authorization'], 'Bearer secret')
    assert.is(seen[0]?.body, '{"a":"ż"}')
  }),
)

clients('an event invocation has no result', () =>
  withEngine({ status: 202 }, async (client, seen) => {
    assert.is(await client.invoke('orders', undefined, { type: 'Event' }), undefined)
    assert.is(seen[0]?.headers['x-amz-invocation-type'], 'Event')
    assert.is(seen[0]?.body, '')
  }),
)

clients('a failed function is a FunctionError with the remote stack', () =>
  withEngine(
    {
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: { errorType: 'RangeError', errorMessage: 'too far', trace: ['RangeError: too far', '    at x'] },
    },
    async (client) => {
      const error = await rejects(client.invoke('orders'))

      assert.instance(error, FunctionError)
      assert.is(error.name, 'RangeError')
      assert.is(error.message, 'too far')
      assert.is((error as FunctionError).remoteStack, 'RangeError: too far\n    at x')
    },
  ),
)

clients('a refusal by Lambda’s API has its exception name as code', () =>
  withEngine(
    {
      status: 404,
      headers: { 'x-amzn-errortype': 'ResourceNotFoundException:http://x' },
      body: { Message: 'Function not found' },
    },
    async (client) => {
      const error = await rejects(client.invoke('orders'))

      assert.instance(error, LambentError)
      const { code, status, message } = error as LambentError
      assert.equal([code, status, message], ['ResourceNotFoundException', 404, 'Function not found'])
    },
  ),
)

clients('a refusal by the Lambent API has its code and hint', () =>
  withEngine(
    { status: 404, body: { error: { code: 'not-found', message: 'No run "x".', hint: 'List them.' } } },
    async (client, seen) => {
      const error = await rejects(client.runs.get('x/y'))

      const { code, hint, message } = error as LambentError
      assert.equal([code, hint, message], ['not-found', 'List them.', 'No run "x".'])
      assert.is(seen[0]?.url, '/base/lambent/v1/runs/x%2Fy')
    },
  ),
)

clients('runs are listed with their filter', () =>
  withEngine({ body: { runs: [{ runId: 'r1' }] } }, async (client, seen) => {
    assert.equal(await client.runs.list({ function: 'orders', status: 'failed' }), [{ runId: 'r1' }])
    assert.is(seen[0]?.url, '/base/lambent/v1/runs?function=orders&status=failed')
  }),
)

clients('nodes are listed', () =>
  withEngine({ body: [{ name: 'n1' }] }, async (client) => {
    assert.equal(await client.nodes(), [{ name: 'n1' }])
  }),
)

clients('a list that is none is refused', () =>
  withEngine({ body: { other: 1 } }, async (client) => {
    assert.is(((await rejects(client.nodes())) as LambentError).code, 'invalid')
  }),
)

clients('an abort ends the wait with its reason', () =>
  withEngine('never', async (client) => {
    const stop = new AbortController()
    const reason = new Error('enough')

    const pending = rejects(client.invoke('orders', {}, { signal: stop.signal }))
    stop.abort(reason)

    assert.is(await pending, reason)
  }),
)

clients('an engine that is not there is unreachable', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  await new Promise((closed) => server.close(closed))

  const error = await rejects(connect(`http://127.0.0.1:${port}`).nodes())

  assert.is((error as LambentError).code, 'unreachable')
})

clients.run()
