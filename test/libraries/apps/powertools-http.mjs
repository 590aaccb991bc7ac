import { Router } from '@aws-lambda-powertools/event-handler/http'

const app = new Router()

app.get('/pets/:id', ({ params, req }) => ({
  id: params.id,
  colour: new URL(req.url).searchParams.get('colour'),
}))
app.post(
  '/pets',
  async ({ req }) =>
    new Response(JSON.stringify({ made: await req.json() }), {
      status: 201,
      headers: { 'content-type': 'application/json' },
    }),
)
app.get('/fails', () => {
  throw new Error('no')
})
app.errorHandler(Error, async (error) => ({ statusCode: 418, failed: error.message }))

export const handler = async (event, context) => app.resolve(event, context)
