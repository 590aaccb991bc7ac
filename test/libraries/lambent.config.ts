/** Apps written with libraries, each a function with a URL; libraries.test.ts calls them. */
const names = [
  ...['serverless-http', 'serverless-express', 'fastify', 'hono', 'hono-stream', 'middy'],
  ...['powertools-batch', 'powertools-http', 'powertools-idempotency', 'powertools-observed'],
  ...['powertools-parameters', 'powertools-parser', 'sentry', 'xray'],
]

export default {
  functions: Object.fromEntries(
    names.map((name) => [
      name,
      { entry: `./apps/${name}.mjs`, url: name === 'hono-stream' ? { stream: true } : true },
    ]),
  ),
}
