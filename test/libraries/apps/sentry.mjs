import * as Sentry from '@sentry/aws-serverless'

const sent = []

Sentry.init({
  dsn: 'https://key@sentry.example.com/1',
  tracesSampleRate: 0,
  // What would go out stays here.
  transport: () => ({
    send: async (envelope) => {
      sent.push(...envelope[1].map(([header]) => header.type))
      return { statusCode: 200 }
    },
    flush: async () => true,
  }),
})

export const handler = Sentry.wrapHandler(async (event) => {
  if (event.rawPath === '/fails') throw new Error('no')
  return { statusCode: 200, body: JSON.stringify({ events: sent.filter((type) => type === 'event').length }) }
})
