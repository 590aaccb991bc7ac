import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache'

/** A cache in memory with the three commands that the library needs. */
const kept = new Map()
const client = {
  get: async (key) => kept.get(key) ?? null,
  set: async (key, value, options) => {
    if (options?.NX === true && kept.has(key)) return null
    kept.set(key, value)
    return 'OK'
  },
  del: async (keys) => [keys].flat().filter((key) => kept.delete(key)).length,
}

let charges = 0
const charge = async ({ body }) => {
  charges += 1
  return { statusCode: 200, body: JSON.stringify({ charges, order: JSON.parse(body).order }) }
}

export const handler = makeIdempotent(charge, {
  persistenceStore: new CachePersistenceLayer({ client }),
  config: new IdempotencyConfig({ eventKeyJmesPath: 'powertools_json(body).order' }),
})
