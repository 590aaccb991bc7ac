import { parse } from '@aws-lambda-powertools/parser'
import { ApiGatewayV2Envelope } from '@aws-lambda-powertools/parser/envelopes/api-gatewayv2'
import { JSONStringified } from '@aws-lambda-powertools/parser/helpers'
import { APIGatewayProxyEventV2Schema, LambdaFunctionUrlSchema } from '@aws-lambda-powertools/parser/schemas'
import { z } from 'zod'

const Order = z.object({ item: z.string(), quantity: z.number().int().positive() })

/** The whole event must have the shape that the library knows, as a URL's and as an HTTP API's. */
export const handler = async (event) => {
  LambdaFunctionUrlSchema.parse(event)
  APIGatewayProxyEventV2Schema.parse(event)
  try {
    const { item, quantity } = parse(event, ApiGatewayV2Envelope, JSONStringified(Order))
    return { statusCode: 200, body: JSON.stringify({ item, quantity }) }
  } catch (error) {
    return { statusCode: 422, body: error.name }
  }
}
