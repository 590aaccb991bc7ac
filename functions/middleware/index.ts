import middy from '@middy/core'
import httpErrorHandler from '@middy/http-error-handler'
import httpJsonBodyParser from '@middy/http-json-body-parser'
import type { FunctionConfig } from 'lambent'

/** A Lambda API as it is written for AWS, with middy: nothing in it but `config` knows Lambent. */
export const config = { url: true, memoryMb: 256, timeout: '10s' } satisfies FunctionConfig

interface Order {
  readonly item: string
  readonly quantity: number
}

interface OrderRequest {
  readonly body: unknown
}

interface OrderResponse {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Refuses what is not an order with 422, before the handler sees it. */
const orderValidator = () => ({
  before: ({ event }: { event: OrderRequest }) => {
    const problems = problemsOf(event.body)
    if (problems.length === 0) return
    throw Object.assign(new Error(problems.join(' ')), { statusCode: 422, expose: true })
  },
})

function problemsOf(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return ['The body must be a JSON object.']
  const { item, quantity } = body as Partial<Record<keyof Order, unknown>> // each member is checked below
  return [
    ...(typeof item === 'string' && item !== '' ? [] : ['"item" must be a text.']),
    ...(Number.isInteger(quantity) && Number(quantity) > 0
      ? []
      : ['"quantity" must be a whole number above 0.']),
  ]
}

async function placeOrder({ body }: OrderRequest): Promise<OrderResponse> {
  const { item, quantity } = body as Order // the validator let it pass
  return {
    statusCode: 201,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ordered: item, quantity, total: quantity * 5 }),
  }
}

export const handler = middy<OrderRequest, OrderResponse>()
  .use(httpJsonBodyParser())
  .use(orderValidator())
  .use(httpErrorHandler())
  .handler(placeOrder)
