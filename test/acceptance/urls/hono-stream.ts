import { Hono } from 'hono'
import { streamHandle } from 'hono/aws-lambda'
import { streamText } from 'hono/streaming'

export const config = { url: { stream: true } }

const app = new Hono()

/** Writes one word at once and the other after half a second. */
app.get('/words', (context) =>
  streamText(context, async (stream) => {
    await stream.write('first')
    await stream.sleep(500)
    await stream.write('last')
  }),
)
app.get('/missing', (context) => context.json({ found: false }, 404))

export const handler = streamHandle(app)
