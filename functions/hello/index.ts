import type { FunctionConfig } from 'lambent'

/** The smallest useful function: the same code answers a plain event and an HTTP request. */
export const config = { url: true } satisfies FunctionConfig

interface Greeting {
  readonly greeting: string
}

/** Invoked with `{"name":"Ada"}`, or over HTTP with `?name=Ada`. */
interface HelloEvent {
  readonly name?: string
  readonly queryStringParameters?: { readonly name?: string }
}

export const handler = async (event: HelloEvent): Promise<Greeting> => {
  const name = event.queryStringParameters?.name ?? event.name ?? 'world'
  console.log('greeting', name)
  return { greeting: `Hello, ${name}!` }
}
