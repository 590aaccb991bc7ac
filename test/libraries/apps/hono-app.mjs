import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import { stream } from 'hono/streaming'

/** One Hono app, whatever serves it. */
export const createApp = () => {
  const app = new Hono()
  app.get('/pets/:id', (context) =>
    context.json({ id: context.req.param('id'), query: context.req.queries() }),
  )
  app.post('/json', async (context) => context.json({ got: await context.req.json() }, 201))
  app.post('/form', async (context) => context.json(await context.req.parseBody()))
  app.post('/bytes', async (context) => {
    const bytes = Buffer.from(await context.req.arrayBuffer())
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return context.body(bytes, 200, { 'content-type': 'application/octet-stream', 'x-sha256': sha256 })
  })
  app.get('/text', (context) => context.text('grüße – 日本語\n'))
  app.get('/page', (context) => context.html('<p>"quoted" & ünï</p>'))
  app.get('/cookies', (context) => {
    setCookie(context, 'first', '1')
    setCookie(context, 'second', 'two')
    return context.text(context.req.header('cookie') ?? '')
  })
  app.get('/moved', (context) => context.redirect('/pets/7'))
  app.get('/stream', (context) => {
    context.header('content-type', 'text/plain')
    return stream(context, async (out) => {
      for (let part = 0; part < 5; part++) await out.write(`part ${part}\n`)
    })
  })
  app.get('/fails', () => {
    throw new Error('no')
  })
  app.onError((error, context) => context.json({ failed: error.message }, 500))
  return app
}
