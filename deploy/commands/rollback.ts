import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { functionPath, isMissing, listAll } from '../lambda-lists.ts'
import type { Session } from '../session.ts'
import { isRecord, text } from '../shapes.ts'
import { answer, putAlias } from './alias.ts'

/**
 * `lambent rollback NAME [VERSION]`: points the alias (`live`) at a version that was published before the one
 * it points at now; all calls go there, whatever weights it had.
 */
export async function rollback(
  session: Session,
  name: string,
  alias: string,
  version: string | undefined,
): Promise<ExitCode> {
  const current = await versionOf(session, name, alias)
  const target = version ?? (await versionBefore(session, name, current))
  const body = { FunctionVersion: target, RoutingConfig: { AdditionalVersionWeights: {} } }
  await answer(session, await putAlias(session, name, alias, body))
  return EXIT.ok
}

async function versionOf({ api }: Session, name: string, alias: string): Promise<string> {
  try {
    const found = await api.json({ path: functionPath(name, 'aliases', alias) })
    return isRecord(found) ? text(found.FunctionVersion) : ''
  } catch (error) {
    if (!isMissing(error) || !(error instanceof CommandError)) throw error
    throw new CommandError(EXIT.notFound, error.message, {
      cause: error,
      hint: `Publish versions and point an alias at one first: lambent alias set ${name} ${alias} VERSION`,
    })
  }
}

async function versionBefore({ api }: Session, name: string, current: string): Promise<string> {
  const numbers = (await listAll(api, functionPath(name, 'versions'), 'Versions'))
    .map(({ Version }) => Number(Version))
    .filter((number) => number < (current === '$LATEST' ? Number.POSITIVE_INFINITY : Number(current)))
  if (numbers.length === 0)
    throw new CommandError(EXIT.notFound, `${name} has no version before ${current}.`, {
      hint: `lambent versions ${name} lists those there are.`,
    })
  return String(Math.max(...numbers))
}
