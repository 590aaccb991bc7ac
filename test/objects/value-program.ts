import { readFileSync } from 'node:fs'
import { LargeValues } from '../../runtime/environments/entry/segments/large-values.ts'
import type { ObjectFolders } from '../../runtime/objects/segment-folders.ts'

/** What a process of the tests is asked. */
export type Question =
  | { ask: 'place'; floats: number; first: number }
  | { ask: 'map'; name: string; location: string }
  | { ask: 'write'; name: string; value: number }
  | { ask: 'sum'; name: string }
  | { ask: 'forget'; name: string }
  | { ask: 'memory' }

/** What it answers; `gaveBack` comes by itself. */
export interface Answer {
  id: number
  gaveBack?: string
  error?: { name: string; message: string }
  location?: string
  sum?: number
  first?: number
  /** To the first byte of a mapped value, or to the last of a written one. */
  tookMs?: number
  heapBytes?: number
  anonymousBytes?: number
}

/** Sums a value of the tests in doubles. */
export function sumOf(values: Float32Array): number {
  let sum = 0
  for (let index = 0; index < values.length; index += 1) sum += values[index] ?? 0
  return sum
}

/** A value of the tests: `first`, then small numbers. */
export function valueOf(floats: number, first: number): Float32Array {
  const values = new Float32Array(floats)
  for (let index = 0; index < floats; index += 1) values[index] = index % 128
  values[0] = first
  return values
}

const [folders, mapperPath] = process.argv.slice(2)
if (folders !== undefined) serve(JSON.parse(folders) as ObjectFolders, mapperPath)

function serve(where: ObjectFolders, koffi: string | undefined): void {
  const values = new Map<string, Float32Array>()
  const reply = (answer: Answer): void => void process.send?.(answer)
  const large = new LargeValues({
    folders: where,
    mapperPath: koffi === '' ? undefined : koffi,
    giveBack: (gaveBack) => reply({ id: 0, gaveBack }),
  })
  const known = (name: string): Float32Array => {
    const value = values.get(name)
    if (value === undefined) throw new Error(`There is no "${name}".`)
    return value
  }
  const answer = (question: Question): Omit<Answer, 'id'> => {
    switch (question.ask) {
      case 'place': {
        const value = valueOf(question.floats, question.first)
        const bytes = new Uint8Array(value.buffer)
        const startedAt = performance.now()
        const location = large.place([Buffer.from('head'), bytes], []).toString('latin1')
        return { location, tookMs: performance.now() - startedAt }
      }
      case 'map': {
        const startedAt = performance.now()
        const [head, bytes] = large.map(Buffer.from(question.location, 'latin1'))
        const value = new Float32Array(bytes?.buffer ?? new ArrayBuffer(0), bytes?.byteOffset)
        const first = value[0] ?? Number.NaN
        const tookMs = performance.now() - startedAt
        if (Buffer.from(head ?? []).toString() !== 'head')
          throw new Error('The first part is not what was written.')
        values.set(question.name, value)
        return { first, tookMs, sum: sumOf(value) }
      }
      case 'write':
        known(question.name)[0] = question.value
        return { first: known(question.name)[0] ?? Number.NaN }
      case 'sum':
        return { sum: sumOf(known(question.name)), first: known(question.name)[0] ?? Number.NaN }
      case 'forget':
        values.delete(question.name)
        return {}
      case 'memory':
        return { heapBytes: process.memoryUsage().heapUsed, anonymousBytes: anonymousBytes() }
    }
  }
  process.on('message', ({ id, question }: { id: number; question: Question }) => {
    try {
      reply({ id, ...answer(question) })
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error))
      reply({ id, error: { name, message } })
    }
  })
  reply({ id: 0 })
}

/** Memory of this process alone. */
function anonymousBytes(): number {
  const line = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1]) * 1024
}
