import { ActorError } from '../../../sdk/actor-errors.ts'

/** What one activation may wait for at once. */
const MAX_OPEN = 10_000

interface Open {
  resolve(answer: Buffer): void
  reject(reason: Error): void
}

/** What an activation asks the engine, by number. */
export class Questions {
  readonly #say: (meta: string, payload: Buffer) => void
  readonly #open = new Map<number, Open>()
  #asked = 0

  constructor(say: (meta: string, payload: Buffer) => void) {
    this.#say = say
  }

  /** Asks with the meta `operation number rest`; resolves with the answer's payload. */
  ask(operation: string, payload: Buffer, rest = ''): Promise<Buffer> {
    if (this.#open.size >= MAX_OPEN)
      return Promise.reject(
        new ActorError('ActorLimit', `An actor may wait for ${MAX_OPEN} answers of its storage at once.`),
      )
    const number = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#open.set(number, { resolve, reject })
      this.#say(`${operation}\n${number}${rest}`, payload)
    })
  }

  answer(number: number, payload: Buffer): void {
    this.#take(number)?.resolve(payload)
  }

  fail(number: number, reason: string): void {
    this.#take(number)?.reject(new ActorError('StorageFailed', reason))
  }

  failAll(reason: Error): void {
    for (const { reject } of this.#open.values()) reject(reason)
    this.#open.clear()
  }

  #take(number: number): Open | undefined {
    const open = this.#open.get(number)
    this.#open.delete(number)
    return open
  }
}
