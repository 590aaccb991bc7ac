import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { functionPath, isMissing, listAll } from '../lambda-lists.ts'
import { table } from '../output.ts'
import type { Session } from '../session.ts'
import { isRecord, text } from '../shapes.ts'

/** `lambent alias ls NAME`. */
export async function listAliases({ api, out }: Session, name: string): Promise<ExitCode> {
  const aliases = await listAll(api, functionPath(name, 'aliases'), 'Aliases')
  await out.answer(aliases, () =>
    table(
      ['ALIAS', 'VERSION', 'WEIGHTS', 'DESCRIPTION'],
      aliases.map((alias) => [
        text(alias.Name),
        text(alias.FunctionVersion),
        weightsText(alias.RoutingConfig),
        text(alias.Description),
      ]),
    ),
  )
  return EXIT.ok
}

/** `lambent alias set NAME ALIAS VERSION`: updates the alias, or makes it; weights are set anew. */
export async function setAlias(
  session: Session,
  name: string,
  alias: string,
  wish: { version: string; weight?: string[]; description?: string },
): Promise<ExitCode> {
  const body = {
    FunctionVersion: wish.version,
    Description: wish.description,
    RoutingConfig: { AdditionalVersionWeights: Object.fromEntries((wish.weight ?? []).map(parseWeight)) },
  }
  await answer(session, await putAlias(session, name, alias, body))
  return EXIT.ok
}

/** `lambent alias rm NAME ALIAS`; an alias that is not there is exit code 3, unlike AWS's own silence. */
export async function removeAlias({ api, out }: Session, name: string, alias: string): Promise<ExitCode> {
  const path = functionPath(name, 'aliases', alias)
  await api.json({ path })
  await api.json({ method: 'DELETE', path })
  await out.answer({ Name: alias, removed: true }, () => `removed ${alias} of ${name}`)
  return EXIT.ok
}

/** Points an alias somewhere; makes it where there is none. */
export async function putAlias(
  { api }: Pick<Session, 'api'>,
  name: string,
  alias: string,
  body: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  try {
    const path = functionPath(name, 'aliases', alias)
    return await api.json({ method: 'PUT', path, headers, body: JSON.stringify(body) })
  } catch (error) {
    if (!isMissing(error)) throw error
    const made = JSON.stringify({ Name: alias, ...body })
    return await api.json({ method: 'POST', path: functionPath(name, 'aliases'), headers, body: made })
  }
}

/** Says where an alias points now. */
export async function answer({ out }: Session, configuration: unknown): Promise<void> {
  const alias = isRecord(configuration) ? configuration : {}
  const weights = weightsText(alias.RoutingConfig)
  await out.answer(
    configuration,
    () =>
      `${text(alias.Name)} points at version ${text(alias.FunctionVersion)}${weights === '' ? '' : `, ${weights}`}`,
  )
}

/** `43=10%` or `43=0.1`. */
function parseWeight(given: string): [version: string, weight: number] {
  const [, version = '', amount = '', percent = ''] = /^(\d+)=(\d+(?:\.\d+)?)(%?)$/.exec(given) ?? []
  const weight = Number(amount) / (percent === '' ? 1 : 100)
  if (version !== '' && weight <= 1) return [version, weight]
  throw new CommandError(EXIT.usage, `"${given}" is no weight: say VERSION=SHARE, such as 43=10% or 43=0.1.`)
}

function weightsText(routing: unknown): string {
  const weights = isRecord(routing) ? routing.AdditionalVersionWeights : undefined
  if (!isRecord(weights)) return ''
  return Object.entries(weights)
    .map(([version, weight]) => `${version}=${Number((Number(weight) * 100).toFixed(4))}%`)
    .join(', ')
}
