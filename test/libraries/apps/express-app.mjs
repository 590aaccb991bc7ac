import { createHash } from 'node:crypto'
import express from 'express'

/** One Express app, whatever serves it. */
export const createApp = () => {
  const app = express()
  app.get('/pets/:id', (request, response) => {
    response.json({ id: request.params.id, query: request.query, host: request.hostname !== '' })
  })
  app.post('/json', express.json(), (request, response) => response.status(201).json({ got: request.body }))
  app.post('/form', express.urlencoded({ extended: false }), (request, response) =>
    response.json(request.body),
  )
  app.post('/bytes', express.raw({ type: '*/*', limit: '5mb' }), (request, response) => {
    response.set('x-sha256', createHash('sha256').update(request.body).digest('hex'))
    response.type('application/octet-stream').send(request.body)
  })
  app.get('/text', (_request, response) => response.type('text').send('grüße – 日本語\n'))
  app.get('/page', (_request, response) => response.send('<p>"quoted" & ünï</p>'))
  app.get('/cookies', (request, response) => {
    response
      .cookie('first', '1')
      .cookie('second', 'two; three')
      .send(request.headers.cookie ?? '')
  })
  app.get('/moved', (_request, response) => response.redirect(302, '/pets/7'))
  app.get('/empty', (_request, response) => response.status(204).end())
  app.get('/fails', () => {
    throw new Error('no')
  })
  app.use((error, _request, response, _next) => response.status(500).json({ failed: error.message }))
  return app
}

/** What its adapters must send as bytes. */
export const BINARY = ['application/octet-stream', 'image/*']
