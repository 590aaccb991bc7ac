import middy from '@middy/core'
import jsonBodyParser from '@middy/http-json-body-parser'

const order = async (event) => ({
  statusCode: 201,
  body: JSON.stringify({ got: event.body, type: typeof event.body }),
})

const failing = {
  onError: (request) => {
    request.response = { statusCode: request.error.statusCode ?? 500, body: request.error.message }
  },
}

export const handler = middy().use(failing).use(jsonBodyParser()).handler(order)
