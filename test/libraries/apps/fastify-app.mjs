import { createHash } from 'node:crypto'
import fastify from 'fastify'

/** One Fastify app, whatever serves it. */
export const createApp = () => {
  const app = fastify()
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  app.get('/pets/:id', (request) => ({ id: request.params.id, query: request.query }))
  app.post('/json', (request, reply) => reply.code(201).send({ got: request.body }))
  app.post('/bytes', { bodyLimit: 5_000_000 }, (request, reply) =>
    reply
      .header('x-sha256', createHash('sha256').update(request.body).digest('hex'))
      .type('application/octet-stream')
      .send(request.body),
  )
  app.get('/text', (_request, reply) => reply.type('text/plain; charset=utf-8').send('grüße – 日本語\n'))
  app.get('/cookies', (_request, reply) =>
    reply.header('set-cookie', ['first=1; Path=/', 'second=two']).send('sent'),
  )
  app.get('/moved', (_request, reply) => reply.redirect('/pets/7', 302))
  app.get('/empty', (_request, reply) => reply.code(204).send())
  app.get('/fails', () => {
    throw new Error('no')
  })
  return app
}
