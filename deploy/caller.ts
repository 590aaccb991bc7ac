import type { Api } from './api.ts'
import { CommandError, EXIT } from './exit-codes.ts'
import { isRecord, listIn, text } from './shapes.ts'

/** What an engine takes a command for. */
export interface CallerFacts {
  readonly auth: string
  readonly account: string
  /** Name and scopes of the key that was sent; undefined: none. */
  readonly key: { readonly name: string; readonly scopes: readonly string[] } | undefined
}

/** Asks the engine; 'refused': it wants a key, or another one; 'unreachable': nobody answers. */
export async function askCaller(api: Api): Promise<CallerFacts | 'refused' | 'unreachable'> {
  try {
    const answer = await api.json({ path: '/lambent/v1/caller' })
    const facts = isRecord(answer) ? answer : {}
    const key = isRecord(facts.key)
      ? { name: text(facts.key.name), scopes: listIn(facts.key, 'scopes').map(String) }
      : undefined
    return { auth: text(facts.auth), account: text(facts.account), key }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return error.exitCode === EXIT.unreachable ? 'unreachable' : 'refused'
  }
}
