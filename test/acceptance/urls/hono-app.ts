import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { handle } from 'hono/aws-lambda'
import { setCookie } from 'hono/cookie'

export const config = { url: true }

const app = new Hono()

app.get('/pets/:id', (context) =>
  context.json({ id: context.req.param('id'), tags: context.req.queries('tag') ?? [] }),
)
app.get('/cookies', (context) => {
  setCookie(context, 'first', '1')
  setCookie(context, 'second', '2')
  return context.redirect('/elsewhere', 303)
})
app.post('/bytes', async (context) => {
  const bytes = Buffer.from(await context.req.arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return context.body(bytes, 200, { 'content-type': 'image/png', 'x-sha256': sha256 })
})
app.get('/fails', () => {
  throw new Error('no')
})
app.onError((error, context) => context.json({ failed: error.message }, 500))

export const handler = handle(app)
