import { resolve } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { KeyRing, KeyView, KeyWish, NewKey } from '../../runtime/keys/key-ring.ts'
import { openKeyRing } from '../../runtime/keys/offline.ts'
import { shellLines } from '../../runtime/keys/shell-lines.ts'
import { systemRng } from '../../runtime/rng.ts'
import { parseDuration } from '../../runtime/sdk/duration.ts'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { age, table } from '../output.ts'
import type { Session } from '../session.ts'
import { recordsIn, text } from '../shapes.ts'

type Options = Readonly<Record<string, string | string[] | undefined>>

/**
 * `lambent key create`: the new key on stdout, as lines for a shell (`eval "$(lambent key create)"`) or as
 * JSON. With `--data` straight into a data folder: that is how the first key of an engine can be made.
 */
export async function createKey(session: Session, options: Options): Promise<ExitCode> {
  const wish: KeyWish = {
    name: textOf(options.name) ?? 'key',
    account: textOf(options.account) ?? '000000000000',
    organization: textOf(options.organization),
    scopes: Array.isArray(options.scope) ? options.scope : ['admin'],
    expiresAtMs: expiry(textOf(options.expires)),
  }
  const folder = textOf(options.data)
  const key =
    folder === undefined
      ? ((await session.api.json({
          method: 'POST',
          path: '/lambent/v1/keys',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(wish),
        })) as NewKey) // as the engine answers 201
      : await offline(folder, (keys) => keys.create(wish))
  await session.out.answer(key, () => shellLines(key))
  if (session.out.isTerminal)
    session.out.note(`Key ${key.keyId} may: ${key.scopes.join(', ')}. Its secret is not shown again.`)
  return EXIT.ok
}

/** `lambent key ls`. */
export async function listKeys(session: Session, { data }: { data?: string }): Promise<ExitCode> {
  const keys: readonly Partial<KeyView>[] =
    data === undefined
      ? recordsIn(await session.api.json({ path: '/lambent/v1/keys' }), 'keys')
      : await offline(data, (opened) => opened.list())
  await session.out.answer(keys, () => table(HEADINGS, keys.map(rowOf)))
  return EXIT.ok
}

/** `lambent key revoke ID`. */
export async function revokeKey(
  session: Session,
  id: string,
  { data }: { data?: string },
): Promise<ExitCode> {
  if (data === undefined)
    await session.api.json({ method: 'DELETE', path: `/lambent/v1/keys/${encodeURIComponent(id)}` })
  else await offline(data, (keys) => keys.revoke(id))
  await session.out.answer({ keyId: id, revoked: true }, () => `revoked ${id}`)
  return EXIT.ok
}

const HEADINGS = ['ID', 'NAME', 'ACCOUNT', 'SCOPES', 'MADE', 'USED', 'EXPIRES']

function rowOf({
  keyId,
  name,
  account,
  scopes,
  createdAtMs,
  usedAtMs,
  expiresAtMs,
}: Partial<KeyView>): string[] {
  const now = Date.now()
  const ends = expiresAtMs ?? undefined
  return [
    text(keyId),
    text(name),
    text(account),
    (scopes ?? []).join(','),
    createdAtMs === undefined ? '' : age(createdAtMs, now),
    usedAtMs === undefined || usedAtMs === null ? 'never' : age(usedAtMs, now),
    ends === undefined ? 'never' : ends <= now ? 'expired' : new Date(ends).toISOString().slice(0, 16),
  ]
}

async function offline<Result>(
  folder: string,
  work: (keys: KeyRing) => Result | Promise<Result>,
): Promise<Result> {
  const dataDirectory = resolve(folder)
  try {
    await using opened = await openKeyRing({ dataDirectory, clock: systemClock, rng: systemRng() })
    return await work(opened.keys)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const isRunning = error.detail === 'data-directory-in-use'
    const hint = isRunning ? 'Ask that engine instead: without --data, with --key.' : error.hint
    const exitCode =
      error.code === 'invalid' ? EXIT.usage : error.code === 'not-found' ? EXIT.notFound : EXIT.failed
    throw new CommandError(exitCode, error.message, { cause: error, ...(hint === undefined ? {} : { hint }) })
  }
}

const textOf = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

/** `90d` from now, or a date. */
function expiry(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const timeMs = /^\d+(ms|s|m|h|d)$/.test(given)
    ? Date.now() + (parseDuration(given) ?? 0)
    : Date.parse(given)
  if (Number.isNaN(timeMs))
    throw new CommandError(EXIT.usage, `"${given}" is neither a time from now such as 90d nor a date.`)
  if (timeMs <= Date.now()) throw new CommandError(EXIT.usage, `"${given}" lies in the past.`)
  return timeMs
}
