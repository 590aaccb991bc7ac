import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ProjectError } from './config-file.ts'
import { DeployError, deployFolder, type DeployedFunction, type DeployProgress } from './deployer.ts'
import { createApi } from './api.ts'
import { askCaller } from './caller.ts'
import { CommandError, EXIT, notBuiltYet } from './exit-codes.ts'
import type { Session } from './session.ts'

const IMPORTED = /^(template\.ya?ml|serverless\.(ya?ml|ts|json)|cdk\.json|cdk\.out)$/

/** Projects of other tools are named for what they are, rather than searched in vain for functions. */
function refuseImports(path: string): void {
  if (IMPORTED.test(basename(path))) throw notBuiltYet(`Deploying ${basename(path)}`)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return
  const found = [
    'template.yaml',
    'template.yml',
    'serverless.yml',
    'serverless.yaml',
    'serverless.ts',
    'cdk.json',
  ]
    .filter((name) => existsSync(join(path, name)))
    .at(0)
  const isOurs = existsSync(join(path, 'functions')) || existsSync(join(path, 'lambent.config.ts'))
  if (found !== undefined && !isOurs) throw notBuiltYet(`Deploying ${found}`)
}

/**
 * Deploys what lies under `paths` to the engine at `endpoint`, telling each step on stderr. Problems of a
 * project and failed deploys become CommandErrors that name every one.
 */
export async function deployPaths(
  { out, signal, key }: Pick<Session, 'out' | 'signal' | 'key'>,
  endpoint: string,
  paths: readonly string[],
): Promise<DeployedFunction[]> {
  for (const path of paths) refuseImports(path)
  const onProgress = ({ functionName, step, text }: DeployProgress): void => {
    const name = functionName === '' ? '' : `${functionName}: `
    if (step === 'warning') out.note(out.paint.yellow(`warning: ${name}${text}`))
    else if (step === 'done' && out.isTerminal) out.note(`${name}${text}`)
  }
  try {
    const asked = key === undefined ? {} : await askedFor(endpoint, signal, key)
    return await deployFolder(paths, { endpoint, key, ...asked, onProgress, signal })
  } catch (error) {
    throw readable(error, endpoint)
  }
}

/** Roles and targets are named in the account that the key belongs to; public URLs may need grants. */
async function askedFor(
  endpoint: string,
  signal: AbortSignal,
  key: string,
): Promise<{ account?: string; grantsPublicUrls?: boolean }> {
  const caller = await askCaller(createApi(endpoint, signal, key))
  return typeof caller === 'string'
    ? {} // the deploy itself says what is wrong
    : { account: caller.account, grantsPublicUrls: caller.auth === 'policies' }
}

function readable(error: unknown, endpoint: string): unknown {
  if (error instanceof ProjectError) {
    return new CommandError(EXIT.usage, `Nothing was deployed:\n${indented(error.problems)}`, {
      cause: error,
    })
  }
  if (!(error instanceof DeployError)) return error
  const refused = error.problems.length > 0 && error.problems.every((problem) => /ECONNREFUSED/.test(problem))
  if (refused) {
    return new CommandError(EXIT.unreachable, `No engine answers at ${endpoint}: nothing listens there.`, {
      hint: 'Start it with `npx lambent start`, or name another with --endpoint or LAMBENT_ENDPOINT.',
      cause: error,
    })
  }
  return new CommandError(EXIT.failed, `Not deployed:\n${indented(error.problems)}`, { cause: error })
}

const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n')
