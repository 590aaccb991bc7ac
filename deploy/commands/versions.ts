import { EXIT, type ExitCode } from '../exit-codes.ts'
import { functionPath, listAll } from '../lambda-lists.ts'
import { age, table } from '../output.ts'
import type { Session } from '../session.ts'
import { text } from '../shapes.ts'

/** `lambent versions NAME`: newest first, `$LATEST` above all, with the aliases that point at each. */
export async function versions({ api, out }: Session, name: string): Promise<ExitCode> {
  const [found, aliases] = await Promise.all([
    listAll(api, functionPath(name, 'versions'), 'Versions'),
    listAll(api, functionPath(name, 'aliases'), 'Aliases'),
  ])
  const newestFirst = [...found].toSorted((left, right) => rank(right.Version) - rank(left.Version))
  const namesOf = (version: unknown): string[] =>
    aliases.filter((alias) => alias.FunctionVersion === version).map((alias) => text(alias.Name))
  const listed = newestFirst.map((version) => ({ ...version, Aliases: namesOf(version.Version) }))
  await out.answer(listed, () =>
    table(
      ['VERSION', 'ALIASES', 'CHANGED', 'SIZE', 'CODE', 'DESCRIPTION'],
      newestFirst.map((version) => [
        text(version.Version),
        namesOf(version.Version).join(','),
        `${age(Date.parse(text(version.LastModified)), Date.now())} ago`,
        text(version.CodeSize),
        text(version.CodeSha256).slice(0, 12),
        text(version.Description),
      ]),
    ),
  )
  return EXIT.ok
}

const rank = (version: unknown): number =>
  version === '$LATEST' ? Number.POSITIVE_INFINITY : Number(version)
