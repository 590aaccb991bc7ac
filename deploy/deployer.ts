import { createHash } from 'node:crypto'
import { basename, dirname, extname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { bundle, type Bundle } from './bundle.ts'
import { readZip, runsAsItIs, zipFolder } from './bundle-plain.ts'
import { loadProject, type FunctionSource, type Project } from './config-file.ts'
import { nodeTargetOf, wishOf, type FunctionWish } from './function-wish.ts'
import {
  callOrUndefined,
  createLambdaCall,
  LambdaError,
  untilReady,
  type LambdaCall,
  type LambdaTarget,
} from './lambda-client.ts'
import { grantPublicUrl } from './public-url.ts'
import { deployGroups } from './group-deploy.ts'
import { deployRoutes } from './route-deploy.ts'

/** Where to, and who wants to know how it goes. */
export interface DeployOptions extends LambdaTarget {
  readonly onProgress?: (progress: DeployProgress) => void
  readonly signal?: AbortSignal
  /** The engine asks policies who may call a URL: AuthType NONE needs the grants that it needs on AWS. */
  readonly grantsPublicUrls?: boolean
}

/** One step of one function; `functionName` is '' for what concerns all. */
export interface DeployProgress {
  readonly functionName: string
  readonly step: 'bundling' | 'uploading' | 'waiting' | 'done' | 'warning' | 'failed'
  /** For a person. */
  readonly text: string
}

/** A function that is Active with the code and settings of its source. */
export interface DeployedFunction {
  readonly name: string
  readonly arn: string
  /** '$LATEST'. */
  readonly version: string
  readonly codeSha256: string
  readonly outcome: 'created' | 'updated' | 'unchanged'
  /** As Lambda says it; undefined when it has none. */
  readonly url: string | undefined
  /** Of this deploy: those that lead to it. */
  readonly routes: readonly string[]
  readonly entry: string
  /** Absolute paths whose change changes the function. */
  readonly inputs: readonly string[]
}

/** Thrown after everything else was deployed, with a line for every function that was not. */
export class DeployError extends Error {
  override readonly name = 'DeployError'
  readonly problems: readonly string[]
  readonly deployed: readonly DeployedFunction[]
  constructor(problems: readonly string[], deployed: readonly DeployedFunction[]) {
    super(problems.join('\n'))
    this.problems = problems
    this.deployed = deployed
  }
}

const AT_ONCE = 2

/**
 * Deploys the functions under `paths` and resolves when all of them are Active. What has not changed is
 * left alone. Rejects with a ProjectError before anything is deployed, or with a DeployError.
 */
export async function deployFolder(
  paths: readonly string[],
  options: DeployOptions,
): Promise<DeployedFunction[]> {
  const report = options.onProgress ?? (() => {})
  const project = await loadProject(paths)
  for (const text of project.warnings) report({ functionName: '', step: 'warning', text })
  const deployed: DeployedFunction[] = []
  const problems: string[] = []
  /** Functions whose outcomes go to others of this project that were not there yet: they come once more. */
  const early: FunctionSource[] = []
  const work = async (left: Iterable<FunctionSource>, isLast: boolean): Promise<void> => {
    for (const source of left) {
      options.signal?.throwIfAborted()
      try {
        const done = await deployFunction(source, options)
        deployed.push({ ...done, routes: routesTo(source.name, project) })
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!isLast && lacksDestination(error)) {
          early.push(source)
          continue
        }
        const text = error instanceof LambdaError ? `${error.code}: ${error.message}` : messageOf(error)
        report({ functionName: source.name, step: 'failed', text })
        problems.push(`${source.name}: ${text}`)
      }
    }
  }
  problems.push(...(await groupsOf(project, options, report))) // functions may be in them
  const all = project.functions.values()
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(all, false))) // they share one iterator
  await work(early, true)
  deployed.sort((left, right) => (left.name < right.name ? -1 : 1))
  problems.push(...(await routesOf(project, options, report)))
  if (problems.length > 0) throw new DeployError(problems.toSorted(), deployed)
  return deployed
}

const lacksDestination = (error: unknown): boolean =>
  error instanceof LambdaError && error.message.startsWith('The destination ARN ')

/** Routes of a project that lead to a function. */
const routesTo = (name: string, { routeSources }: Project): string[] =>
  routeSources.flatMap(({ routes }) =>
    routes.filter((one) => one.function.split(':')[0] === name).map(({ route }) => route),
  )

/** Deploys the routes once their functions are there; answers with what was refused. */
async function routesOf(
  { routeSources }: Project,
  options: DeployOptions,
  report: (progress: DeployProgress) => void,
): Promise<readonly string[]> {
  const signal = options.signal ?? new AbortController().signal
  try {
    const { warnings, problems } = await deployRoutes(routeSources, createLambdaCall(options, signal))
    for (const text of warnings) report({ functionName: '', step: 'warning', text })
    for (const text of problems) report({ functionName: '', step: 'failed', text })
    return problems
  } catch (error) {
    signal.throwIfAborted()
    return [messageOf(error)]
  }
}

/** Makes the placement groups that are declared; answers with what was refused. */
async function groupsOf(
  { groups }: Project,
  options: DeployOptions,
  report: (progress: DeployProgress) => void,
): Promise<readonly string[]> {
  if (groups.length === 0) return []
  const signal = options.signal ?? new AbortController().signal
  const { warnings, problems } = await deployGroups(groups, createLambdaCall(options, signal))
  for (const text of warnings) report({ functionName: '', step: 'warning', text })
  for (const text of problems) report({ functionName: '', step: 'failed', text })
  return problems
}

/** Deploys one function and resolves when it is Active; its routes are for the whole project. */
export async function deployFunction(
  source: FunctionSource,
  options: DeployOptions,
): Promise<DeployedFunction> {
  const signal = options.signal ?? new AbortController().signal
  const { name, config, entry } = source
  const report = (step: DeployProgress['step'], text: string): void =>
    options.onProgress?.({ functionName: name, step, text })
  report('bundling', entry)
  const made = await packageOf(source, signal)
  for (const text of made.warnings) report('warning', text)
  const { account = '000000000000', region = 'us-east-1' } = options
  const wish = wishOf(
    config,
    made.handler,
    (other) => `arn:aws:lambda:${region}:${account}:function:${other}`,
  )
  const call = createLambdaCall(options, signal)
  const deploy = new Deployment(name, call, signal, report)
  const outcome = await deploy.code(made.zip, wish, `arn:aws:iam::${account}:role/lambent`)
  const { arn, version, codeSha256 } = await deploy.ready()
  const changed = [await deploy.tags(arn, wish), await deploy.reserved(wish), await deploy.events(wish)].some(
    Boolean,
  )
  const { url, changed: urlChanged } = await deploy.url(wish)
  if (options.grantsPublicUrls === true && wish.url?.AuthType === 'NONE') await grantPublicUrl(name, call)
  const result = outcome === 'unchanged' && (changed || urlChanged) ? 'updated' : outcome
  report('done', result)
  return { name, arn, version, codeSha256, outcome: result, url, routes: [], entry, inputs: made.inputs }
}

/** Makes the zip: a zip as it is, plain Lambda code with its folder, everything else bundled. */
async function packageOf({ entry, config }: FunctionSource, signal: AbortSignal): Promise<Bundle> {
  const exportName = config.handler ?? 'handler'
  const stem = basename(entry, extname(entry))
  if (extname(entry) === '.zip')
    return { zip: readZip(entry), handler: `index.${exportName}`, warnings: [], inputs: [entry] }
  if (config.bundle === false || (config.bundle !== true && (await runsAsItIs(entry))))
    return {
      zip: await zipFolder(dirname(entry)),
      handler: `${stem}.${exportName}`,
      warnings: [],
      inputs: [entry],
    }
  return await bundle(entry, {
    external: config.external ?? [],
    nodeTarget: nodeTargetOf(config.runtime),
    exportName,
    signal,
  })
}

/** The calls that bring one function to what is wished for it. */
class Deployment {
  readonly #name: string
  readonly #call: LambdaCall
  readonly #signal: AbortSignal
  readonly #report: (step: DeployProgress['step'], text: string) => void

  constructor(
    name: string,
    call: LambdaCall,
    signal: AbortSignal,
    report: (step: DeployProgress['step'], text: string) => void,
  ) {
    this.#name = name
    this.#call = call
    this.#signal = signal
    this.#report = report
  }

  async code(zip: Buffer, wish: FunctionWish, role: string): Promise<DeployedFunction['outcome']> {
    const path = `/2015-03-31/functions/${this.#name}`
    const found = await callOrUndefined(this.#call, 'GET', path)
    const before = record(found?.Configuration)
    if (found === undefined) {
      this.#report('uploading', sizeOf(zip))
      await this.#call('POST', '/2015-03-31/functions', {
        FunctionName: this.#name,
        Role: role,
        Code: { ZipFile: zip.toString('base64') },
        ...wish.configuration,
        Tags: wish.tags,
      })
      return 'created'
    }
    let outcome: DeployedFunction['outcome'] = 'unchanged'
    if (before.CodeSha256 !== createHash('sha256').update(zip).digest('base64')) {
      await this.ready()
      this.#report('uploading', sizeOf(zip))
      await this.#call('PUT', `${path}/code`, { ZipFile: zip.toString('base64') })
      outcome = 'updated'
    }
    if (!isConfigured(before, wish)) {
      await this.ready()
      await this.#call('PUT', `${path}/configuration`, wish.configuration)
      outcome = 'updated'
    }
    return outcome
  }

  async ready(): Promise<{ arn: string; version: string; codeSha256: string }> {
    this.#report('waiting', 'until it is Active')
    const { FunctionArn, Version, CodeSha256 } = await untilReady(this.#call, this.#name, this.#signal)
    return { arn: String(FunctionArn), version: String(Version), codeSha256: String(CodeSha256) }
  }

  /** True when something changed, here and below. */
  async tags(arn: string, { tags }: FunctionWish): Promise<boolean> {
    const path = `/2017-03-31/tags/${encodeURIComponent(arn)}`
    const before = record((await this.#call('GET', path))?.Tags)
    const gone = Object.keys(before).filter((key) => !(key in tags) && !key.startsWith('aws:'))
    const set = Object.entries(tags).filter(([key, value]) => before[key] !== value)
    if (set.length > 0) await this.#call('POST', path, { Tags: Object.fromEntries(set) })
    if (gone.length > 0)
      await this.#call(
        'DELETE',
        `${path}?${gone.map((key) => `tagKeys=${encodeURIComponent(key)}`).join('&')}`,
      )
    return gone.length + set.length > 0
  }

  async reserved({ reserved }: FunctionWish): Promise<boolean> {
    const place = `functions/${this.#name}/concurrency`
    const before = (await this.#call('GET', `/2019-09-30/${place}`))?.ReservedConcurrentExecutions
    if (before === reserved) return false
    if (reserved === undefined) await this.#call('DELETE', `/2017-10-31/${place}`)
    else await this.#call('PUT', `/2017-10-31/${place}`, { ReservedConcurrentExecutions: reserved })
    return true
  }

  async events({ events }: FunctionWish): Promise<boolean> {
    const path = `/2019-09-25/functions/${this.#name}/event-invoke-config`
    const before = await callOrUndefined(this.#call, 'GET', path)
    if (events === undefined) {
      if (before !== undefined) await this.#call('DELETE', path)
      return before !== undefined
    }
    const set = { DestinationConfig: { OnSuccess: {}, OnFailure: {} }, ...events }
    if (before !== undefined && covers(before, set)) return false
    await this.#call('PUT', path, events)
    return true
  }

  async url({ url }: FunctionWish): Promise<{ url: string | undefined; changed: boolean }> {
    const path = `/2021-10-31/functions/${this.#name}/url`
    const before = await callOrUndefined(this.#call, 'GET', path)
    if (url === undefined) {
      if (before !== undefined) await this.#call('DELETE', path)
      return { url: undefined, changed: before !== undefined }
    }
    const same = before !== undefined && covers({ Cors: {}, ...before }, url)
    const after = same ? before : await this.#call(before === undefined ? 'POST' : 'PUT', path, url)
    return { url: String(after?.FunctionUrl), changed: !same }
  }
}

/**
 * Whether Lambda holds what is wished for; layers are rows with an Arn there, and absent when there are
 * none.
 */
function isConfigured(held: Readonly<Record<string, unknown>>, { configuration }: FunctionWish): boolean {
  const layers = Array.isArray(held.Layers) ? held.Layers.map((layer) => record(layer).Arn) : []
  const variables = record(record(held.Environment).Variables)
  return covers({ ...held, Layers: layers, Environment: { Variables: variables } }, configuration)
}

/** Whether `held` has every member of `wished` with the same value. */
const covers = (held: Readonly<Record<string, unknown>>, wished: object): boolean =>
  Object.entries(wished).every(([key, value]) => isDeepStrictEqual(held[key], value))

/** A JSON object's members; none for anything else. */
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  // JSON objects have string keys
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const sizeOf = (zip: Buffer): string => `${(zip.length / 1e6).toFixed(zip.length < 1e6 ? 3 : 1)} MB`

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '' // fetch says why only there
  return `${error.message}${cause}`
}
