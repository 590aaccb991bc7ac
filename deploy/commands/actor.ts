import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { actorsListing } from '../listings.ts'
import { table } from '../output.ts'
import { readPayload } from '../payload.ts'
import type { Session } from '../session.ts'
import { isRecord, text } from '../shapes.ts'
import { showList } from './ls.ts'

type Options = Readonly<Record<string, string | boolean | undefined>>

/** `lambent actor ls`. */
export async function listActors(session: Session, options: Options): Promise<ExitCode> {
  const query = new URLSearchParams()
  if (typeof options.function === 'string') query.set('function', options.function)
  return await showList(session, actorsListing(query.toString()), options.watch === true)
}

/** `lambent actor get FUNCTION/CLASS/KEY`: what is known of one actor. */
export async function getActor({ api, out }: Session, name: string): Promise<ExitCode> {
  const actor = await api.json({ path: actorPath(name) })
  const rows = isRecord(actor) ? Object.entries(actor).map(([field, value]) => [field, text(value)]) : []
  await out.answer(actor, () => table(['FIELD', 'VALUE'], rows))
  return EXIT.ok
}

/** `lambent actor call FUNCTION/CLASS/KEY METHOD [ARGUMENT…]`: prints the reply as JSON. */
export async function callActor(
  { api, out }: Session,
  name: string,
  method: string,
  words: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const key = options.idempotencyKey
  const reply = await api.json({
    method: 'POST',
    path: `${actorPath(name)}/${encodeURIComponent(method)}`,
    headers: {
      'content-type': 'application/json',
      ...(typeof key === 'string' ? { 'idempotency-key': key } : {}),
    },
    body: await argumentsOf(words, options.payload),
  })
  await out.answer(reply ?? null, () => JSON.stringify(reply ?? null))
  return EXIT.ok
}

/** `lambent actor kill FUNCTION/CLASS/KEY`: ends its process; the next call wakes it with its storage. */
export async function killActor({ api, out }: Session, name: string): Promise<ExitCode> {
  await api.json({ method: 'POST', path: `${actorPath(name)}/kill` })
  await out.answer({ actor: name, killed: true }, () => `killed ${name}`)
  return EXIT.ok
}

/** `lambent actor destroy FUNCTION/CLASS/KEY`: ends it and forgets its storage. */
export async function destroyActor({ api, out }: Session, name: string): Promise<ExitCode> {
  await api.json({ method: 'DELETE', path: actorPath(name) })
  await out.answer({ actor: name, destroyed: true }, () => `destroyed ${name}`)
  return EXIT.ok
}

/** A key may hold slashes: it is whatever follows the second one. */
function actorPath(name: string): string {
  const [, functionName, className, key] = /^([^/]+)\/([^/]+)\/([^]+)$/.exec(name) ?? []
  if (functionName === undefined || className === undefined || key === undefined)
    throw new CommandError(EXIT.usage, `"${name}" names no actor.`, {
      hint: 'Write FUNCTION/CLASS/KEY, such as word-count/Tally/all. `lambent actor ls` lists them.',
    })
  return `/lambent/v1/actors/${[functionName, className, key].map(encodeURIComponent).join('/')}`
}

/** A JSON array of the words, each JSON or, when it is none, text; or the payload as it is. */
async function argumentsOf(words: readonly string[], payload: unknown): Promise<string | Uint8Array> {
  if (typeof payload !== 'string') return JSON.stringify(words.map(valueOf))
  if (words.length > 0)
    throw new CommandError(EXIT.usage, 'Give the arguments as words or with --payload, not both.')
  return await readPayload(payload)
}

function valueOf(word: string): unknown {
  try {
    return JSON.parse(word)
  } catch {
    return word // a text that need not be quoted
  }
}
