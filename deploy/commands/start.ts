import { deployPaths } from '../deploying.ts'
import type { DeployedFunction } from '../deployer.ts'
import { curlLines } from '../examples.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { configure, serve, stopServing, untilStopped } from '../serving.ts'
import type { Session, StartFlags } from '../session.ts'

/**
 * `lambent start`: one line on stdout once it serves and every `--deploy` is Active; drains and exits 0 at a
 * signal. A deploy that fails stops it again, with exit code 1.
 */
export async function start(session: Session, flags: StartFlags): Promise<ExitCode> {
  const config = configure(flags, session.environment)
  const lambent = await serve(session, config)
  let deployed: DeployedFunction[] = []
  try {
    if (config.deploy.length > 0)
      deployed = await deployPaths({ ...session, key: lambent.ownKey }, lambent.urls.inner, config.deploy)
  } catch (error) {
    await stopServing(session, lambent)
    if (session.signal.aborted) return EXIT.ok
    throw error
  }
  await session.out.data(`lambent ready api=${lambent.urls.api} http=${lambent.urls.ingress}\n`)
  if (session.out.isTerminal) showHints(session, lambent.urls.api, deployed)
  await untilStopped(session, lambent)
  return EXIT.ok
}

function showHints({ out }: Session, apiUrl: string, deployed: readonly DeployedFunction[]): void {
  const name = deployed.find((one) => one.name === 'hello')?.name ?? deployed[0]?.name
  const { dim } = out.paint
  out.note('')
  if (name === undefined) {
    out.note(`Deploy a function:  ${dim('npx lambent deploy PATH')}`)
  } else {
    out.note(`Functions: ${deployed.map((one) => one.name).join(', ')}. Try, in another terminal:`)
    out.note(dim(`  curl -s -d '{"name":"Ada"}' ${apiUrl}/2015-03-31/functions/${name}/invocations`))
    for (const line of curlLines(deployed)) out.note(dim(`  ${line}`))
    out.note(dim(`  npx lambent invoke ${name} -p '{"name":"Ada"}'`))
  }
  out.note('')
}
