import { Actor, actor, type FunctionConfig } from 'lambent'

/** The smallest actor and the smallest handler: a number that outlives every process. */
export const config = { url: true } satisfies FunctionConfig

/** One for each name. Calls come one at a time, so nothing is counted twice and nothing is lost. */
export class Counter extends Actor {
  async add(amount: number): Promise<number> {
    const total = ((await this.storage.get<number>('total')) ?? 0) + amount
    await this.storage.put('total', total)
    return total
  }
}

/** Invoked with `{"name":"visits","add":2}`, or over HTTP with `?name=visits&add=2`. */
interface CounterEvent {
  readonly name?: string
  readonly add?: number | string
  readonly queryStringParameters?: { readonly name?: string; readonly add?: string }
}

export const handler = async (event: CounterEvent): Promise<{ name: string; total: number }> => {
  const { name = 'visits', add = 1 } = event.queryStringParameters ?? event
  return { name, total: await actor(Counter, name).add(Number(add)) }
}
