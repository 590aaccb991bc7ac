import { BaseProvider } from '@aws-lambda-powertools/parameters/base'

let reads = 0

/** A store of the user's own; the library caches and transforms. */
class Store extends BaseProvider {
  constructor() {
    super({ awsSdkV3Client: {} })
  }
  async _get(name) {
    reads += 1
    return JSON.stringify({ name, reads })
  }
  async _getMultiple() {
    return {}
  }
}

const store = new Store()

export const handler = async () => ({
  statusCode: 200,
  body: JSON.stringify([
    await store.get('a', { transform: 'json' }),
    await store.get('a', { transform: 'json' }),
  ]),
})
