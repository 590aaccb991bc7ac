import { deployPaths } from '../deploying.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { table } from '../output.ts'
import type { Session } from '../session.ts'

/** `lambent deploy [PATH…]`: resolves when every function is Active; what has not changed is left alone. */
export async function deploy(session: Session, paths: readonly string[]): Promise<ExitCode> {
  const { api, out } = session
  const deployed = await deployPaths(session, api.endpoint, paths)
  const shown = deployed.map(({ name, arn, version, codeSha256, outcome, url, routes }) => ({
    name,
    arn,
    version,
    codeSha256,
    outcome,
    url,
    routes,
  }))
  await out.answer(shown, () =>
    table(
      ['NAME', 'OUTCOME', 'URL', 'ROUTES'],
      shown.map(({ name, outcome, url = '', routes }) => [name, outcome, url, routes.join(', ')]),
    ),
  )
  return EXIT.ok
}
