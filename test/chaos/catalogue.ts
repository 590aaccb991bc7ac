import { createHash } from 'node:crypto'
import { invokeUrl, zipOf } from '../support/lambent.ts'
import { until } from '../support/until.ts'
import { call, problemOf, type Reply, type Tally, type Target } from './operations.ts'

/** One function as its owner sees it: which code is where. Null when it does not exist. */
type Deployed = {
  readonly latest: number
  readonly lastVersion: number
  readonly versions: Readonly<Record<string, number>>
  readonly aliases: Readonly<Record<string, string>>
} | null

const ROLE = 'arn:aws:iam::000000000000:role/test'
const SETTLE_LIMIT_MS = 15_000
/** Old versions are removed past this, so that the end can try them all. */
const MAX_VERSIONS = 4

/**
 * Functions that are created, updated, published, aliased and deleted, one step at a time. Remembers what was
 * acknowledged, and what a step that was cut off may or may not have done.
 */
export class Catalogue {
  readonly names: readonly string[]
  readonly #fraction: () => number
  readonly #tally: Tally
  readonly #known = new Map<string, Deployed>()
  /** What the step that is under way would make of its function. */
  readonly #possible = new Map<string, Deployed>()
  readonly #numbers = new Map<string, number>()
  #lastNumber = 0

  constructor(names: readonly string[], fraction: () => number, tally: Tally) {
    this.names = names
    this.#fraction = fraction
    this.#tally = tally
    for (const name of names) this.#known.set(name, null)
  }

  /** Takes one random step with a random function and waits until it has settled. */
  async step(target: Target): Promise<void> {
    const name = this.#oneOf(this.names)
    if (name === undefined) return
    const before = this.#known.get(name) ?? null
    const chance = this.#fraction()
    if (before === null) return await this.#create(target, name)
    if (chance < 0.45) return await this.#update(target, name, before)
    if (chance < 0.6) return await this.#publish(target, name, before)
    const version = this.#oneOf(Object.keys(before.versions))
    if (chance < 0.85 && version !== undefined) return await this.#point(target, name, before, version)
    if (chance < 0.92 && Object.keys(before.versions).length >= MAX_VERSIONS)
      return await this.#prune(target, name, before)
    if (chance > 0.95) return await this.#delete(target, name)
  }

  /**
   * Compares every function with what was acknowledged, and runs one version of each (all with `thoroughly`).
   * Returns what is wrong; undefined when the engine was killed meanwhile.
   */
  async check(target: Target, thoroughly = false): Promise<string[] | undefined> {
    const problems: string[] = []
    for (const name of this.names) {
      const found = await this.#read(target, name)
      if (target.engine.killedAt !== undefined) return undefined
      if (typeof found === 'string') problems.push(`${name}: ${found}`)
      else problems.push(...this.#compare(name, found))
      if (found === null || typeof found === 'string') continue
      const { versions, aliases } = found
      const qualifiers = ['$LATEST', ...Object.keys(versions), ...Object.keys(aliases)]
      for (const qualifier of thoroughly ? qualifiers : [this.#oneOf(qualifiers) ?? '$LATEST']) {
        const problem = await this.#runs(target, name, qualifier, found)
        if (target.engine.killedAt !== undefined) return undefined
        if (problem !== undefined) problems.push(`${name}:${qualifier}: ${problem}`)
      }
    }
    return problems
  }

  #compare(name: string, found: Deployed): string[] {
    const known = this.#known.get(name) ?? null
    const candidates = this.#possible.has(name) ? [known, this.#possible.get(name) ?? null] : [known]
    this.#possible.delete(name)
    this.#known.set(name, found)
    if (candidates.some((one) => same(one, found))) return []
    return [`${name} is ${JSON.stringify(found)}, acknowledged was ${JSON.stringify(candidates)}`]
  }

  // -- steps

  async #create(target: Target, name: string): Promise<void> {
    const { number, zip } = await this.#newCode()
    const Publish = this.#fraction() < 0.5
    const versions: Record<string, number> = Publish ? { 1: number } : {}
    const body = {
      FunctionName: name,
      Role: ROLE,
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      Handler: 'index.handler',
      Timeout: 30,
      Code: { ZipFile: zip },
      Publish,
    }
    const after = { latest: number, lastVersion: Publish ? 1 : 0, versions, aliases: {} }
    await this.#change(target, name, after, 'create', '', 'POST', 201, body)
  }

  async #update(target: Target, name: string, before: NonNullable<Deployed>): Promise<void> {
    const { number, zip } = await this.#newCode()
    const Publish = this.#fraction() < 0.3
    const lastVersion = before.lastVersion + (Publish ? 1 : 0)
    const versions = Publish ? { ...before.versions, [lastVersion]: number } : before.versions
    const after = { ...before, latest: number, lastVersion, versions }
    await this.#change(target, name, after, 'update', `/${name}/code`, 'PUT', 200, { ZipFile: zip, Publish })
  }

  async #publish(target: Target, name: string, before: NonNullable<Deployed>): Promise<void> {
    // Publishing what the last version already holds makes no new one.
    const unchanged = before.versions[before.lastVersion] === before.latest
    const lastVersion = before.lastVersion + (unchanged ? 0 : 1)
    const after = { ...before, lastVersion, versions: { ...before.versions, [lastVersion]: before.latest } }
    await this.#change(target, name, after, 'publish', `/${name}/versions`, 'POST', 201, {})
  }

  async #point(
    target: Target,
    name: string,
    before: NonNullable<Deployed>,
    FunctionVersion: string,
  ): Promise<void> {
    const after = { ...before, aliases: { ...before.aliases, live: FunctionVersion } }
    const path = `/${name}/aliases`
    if (before.aliases['live'] === undefined) {
      const body = { Name: 'live', FunctionVersion }
      await this.#change(target, name, after, 'alias', path, 'POST', 201, body)
    } else await this.#change(target, name, after, 'alias', `${path}/live`, 'PUT', 200, { FunctionVersion })
  }

  async #prune(target: Target, name: string, before: NonNullable<Deployed>): Promise<void> {
    const used = Object.values(before.aliases)
    const doomed = Object.keys(before.versions).find(
      (version) => !used.includes(version) && version !== String(before.lastVersion),
    )
    if (doomed === undefined) return
    const versions = Object.fromEntries(Object.entries(before.versions).filter(([one]) => one !== doomed))
    await this.#change(
      target,
      name,
      { ...before, versions },
      'prune',
      `/${name}?Qualifier=${doomed}`,
      'DELETE',
      204,
    )
  }

  async #delete(target: Target, name: string): Promise<void> {
    await this.#change(target, name, null, 'delete', `/${name}`, 'DELETE', 204)
  }

  async #change(
    target: Target,
    name: string,
    after: Deployed,
    kind: string,
    path: string,
    method: string,
    status: number,
    body?: unknown,
  ): Promise<void> {
    this.#possible.set(name, after)
    const reply = await call(`${target.url}/2015-03-31/functions${path}`, method, body)
    const problem = problemOf(reply, status)
    this.#tally.count(
      'deploy',
      target,
      reply,
      problem === undefined ? undefined : `${kind} ${name}: ${problem}`,
    )
    if (reply.kind !== 'answer') return // what it did is seen after the restart
    this.#possible.delete(name)
    if (problem !== undefined) return
    this.#known.set(name, after)
    if (after !== null) await this.#settled(target, name)
  }

  /** A function that is being prepared takes no further change. */
  async #settled(target: Target, name: string): Promise<void> {
    await until(
      `${name} is Active`,
      async () => {
        const reply = await call(`${target.url}/2015-03-31/functions/${name}/configuration`, 'GET')
        if (reply.kind !== 'answer') return true
        const { State, LastUpdateStatus } = (reply.body ?? {}) as {
          State?: string
          LastUpdateStatus?: string
        }
        return State === 'Active' && LastUpdateStatus !== 'InProgress'
      },
      SETTLE_LIMIT_MS,
    )
  }

  // -- reading

  /** The function as the engine tells it; text when that makes no sense. */
  async #read(target: Target, name: string): Promise<Deployed | string> {
    const base = `${target.url}/2015-03-31/functions/${name}`
    const listed = await call(`${base}/versions?MaxItems=50`, 'GET')
    if (listed.kind === 'answer' && listed.status === 404) return null
    const problem = problemOf(listed, 200)
    if (problem !== undefined) return `its versions: ${problem}`
    const aliased = await call(`${base}/aliases`, 'GET')
    const aliasProblem = problemOf(aliased, 200)
    if (aliasProblem !== undefined) return `its aliases: ${aliasProblem}`
    await this.#settled(target, name)
    const { Versions } = bodyOf(listed) as { Versions: { Version: string; CodeSha256: string }[] }
    const { Aliases } = bodyOf(aliased) as { Aliases: { Name: string; FunctionVersion: string }[] }
    const versions: Record<string, number> = {}
    for (const { Version, CodeSha256 } of Versions) versions[Version] = this.#numbers.get(CodeSha256) ?? -1
    const { $LATEST: latest, ...published } = versions
    if (latest === undefined) return 'it has no $LATEST'
    const aliases = Object.fromEntries(Aliases.map((one) => [one.Name, one.FunctionVersion]))
    // A deleted version's number is not given out again; only a pruned one could have been the last.
    const lastVersion = Math.max(0, ...Object.keys(published).map(Number))
    return { latest, lastVersion, versions: published, aliases }
  }

  async #runs(
    target: Target,
    name: string,
    qualifier: string,
    found: NonNullable<Deployed>,
  ): Promise<string | undefined> {
    const version = found.aliases[qualifier] ?? qualifier
    const expected = version === '$LATEST' ? found.latest : found.versions[version]
    const reply = await call(`${invokeUrl(target.url, name)}?Qualifier=${qualifier}`, 'POST', {})
    const problem = problemOf(reply, 200)
    if (problem !== undefined) return problem
    const { number } = bodyOf(reply) as { number: number }
    return number === expected ? undefined : `answers ${number}, its code is ${expected}`
  }

  /** Two files that belong together: a mixed package would not answer its number. */
  async #newCode(): Promise<{ number: number; zip: string }> {
    const number = ++this.#lastNumber
    const zip = await zipOf({
      'index.js': `const { number } = require('./number.json')
exports.handler = async () => { if (number !== ${number}) throw new Error('mixed'); return { number } }`,
      'number.json': JSON.stringify({ number }),
      'filler.txt': `${number} `.repeat(500),
    })
    this.#numbers.set(createHash('sha256').update(zip).digest('base64'), number)
    return { number, zip: zip.toString('base64') }
  }

  #oneOf<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#fraction() * items.length)]
  }
}

const bodyOf = (reply: Reply): unknown => (reply.kind === 'answer' ? reply.body : undefined)

const same = (one: Deployed, other: Deployed): boolean =>
  JSON.stringify(one && sorted(one)) === JSON.stringify(other && sorted(other))

const sorted = ({ latest, lastVersion, versions, aliases }: NonNullable<Deployed>): unknown => [
  latest,
  lastVersion,
  Object.entries(versions).toSorted(),
  Object.entries(aliases).toSorted(),
]
