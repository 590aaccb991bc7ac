import { all } from 'nlp-corpus'
import { Actor, actor, get, put, task, type FunctionConfig, type ObjectRef } from 'lambent'

/** Counts the words of a corpus of English sentences: tasks map, tasks reduce, an actor keeps the tally. */
export const config = { url: true, external: ['nlp-corpus'] } satisfies FunctionConfig

type Counts = Map<string, number>

const WORD = /[\p{L}'’-]+/gu
const MAX_CHUNKS = 64

/** Map: how often each word occurs in some sentences. */
export const countWords = task(async (sentences: readonly string[]): Promise<Counts> => {
  const counts: Counts = new Map()
  for (const sentence of sentences)
    for (const [word] of sentence.toLowerCase().matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
})

/** Reduce: two counts as one. Its arguments are values by the time it starts: nobody waits for them here. */
export const merge = task(async (left: Counts, right: Counts): Promise<Counts> => {
  for (const [word, count] of right) left.set(word, (left.get(word) ?? 0) + count)
  return left
})

/** What has been counted so far, by everybody. */
export class Tally extends Actor {
  static concurrent = ['total']

  async add(words: number): Promise<number> {
    const total = ((await this.storage.get<number>('words')) ?? 0) + words
    await this.storage.put('words', total)
    return total
  }

  async total(): Promise<number> {
    return (await this.storage.get<number>('words')) ?? 0
  }
}

/** Invoked with `{"chunks":8,"top":10}`, or over HTTP with the same in its query. */
interface CountEvent {
  readonly chunks?: number | string
  readonly top?: number | string
  readonly queryStringParameters?: { readonly chunks?: string; readonly top?: string }
}

interface Answer {
  readonly sentences: number
  readonly words: number
  readonly different: number
  readonly top: readonly { readonly word: string; readonly count: number }[]
  /** Words counted since the tally began, over all requests. */
  readonly countedInAll: number
}

export const handler = async (event: CountEvent): Promise<Answer> => {
  const given = event.queryStringParameters ?? event
  const chunks = Math.min(MAX_CHUNKS, Math.max(1, Number(given.chunks ?? 8)))
  const top = Number(given.top ?? 10)
  const sentences: string[] = all()
  const size = Math.ceil(sentences.length / chunks)
  const parts = Array.from({ length: chunks }, (_, index) =>
    sentences.slice(index * size, (index + 1) * size),
  )
  let refs: ObjectRef<Counts>[] = []
  for (const part of parts) refs.push(countWords.remote(await put(part)))
  // A tree of merges: each takes two refs, and starts when both are there.
  while (refs.length > 1)
    refs = refs.flatMap((left, index) => {
      const right = refs[index + 1]
      if (index % 2 === 1) return []
      return [right === undefined ? left : merge.remote(left, right)]
    })
  const [whole] = await get(refs)
  const counts = [...(whole ?? new Map<string, number>())].toSorted((left, right) => right[1] - left[1])
  const words = counts.reduce((sum, [, count]) => sum + count, 0)
  return {
    sentences: sentences.length,
    words,
    different: counts.length,
    top: counts.slice(0, top).map(([word, count]) => ({ word, count })),
    countedInAll: await actor(Tally, 'all').add(words),
  }
}
