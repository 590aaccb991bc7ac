import { deploy, invokeUrl, zipOf } from '../support/lambent.ts'
import type { Catalogue } from './catalogue.ts'
import type { EventLedger } from './event-ledger.ts'
import { call, elapse, problemOf, type Reply, type Tally, type Target } from './operations.ts'
import { reportingHandler } from './reports.ts'

const ECHO = `exports.handler = async ({ nonce, filler, waitMs = 0, spinMs = 0 }) => {
  const end = performance.now() + spinMs
  while (performance.now() < end);
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
  return { nonce, filler }
}`

/**
 * Leaves a child, one in a session of its own and one whose parents are gone, all with `mark` as an
 * argument.
 * `bare`: they carry no variable that would give them away.
 */
const FAMILY = `const { spawn } = require('node:child_process')
const cookie = require('node:fs').readFileSync('/proc/self/environ', 'latin1').split('\\0')
  .find((one) => one.startsWith('LAMBENT_ENGINE=')) ?? ''
exports.handler = async ({ nonce, mark, bare }) => {
  const env = { PATH: process.env.PATH, ...(bare ? {} : { LAMBENT_ENGINE: cookie.slice('LAMBENT_ENGINE='.length) }) }
  for (const [command, ...words] of [
    ['sleep', mark],
    ['setsid', 'sleep', mark],
    ['sh', '-c', '(setsid sleep ' + mark + ' & ) & exit 0'],
  ]) spawn(command, words, { detached: command === 'sh', stdio: 'ignore', env }).unref()
  return { nonce }
}`

/** Functions whose load goes through every kill; their names. */
export const FUNCTIONS = { echo: 'echo', record: 'record', family: 'family' } as const

/** Deploys what the load invokes. Few environments each: this is about kills, not about throughput. */
export async function deployLoad(url: string, reportPort: number): Promise<void> {
  const tags = { 'lambent:max-environments': '2' }
  await deploy(url, FUNCTIONS.echo, await zipOf({ 'index.js': ECHO }), { tags })
  await deploy(url, FUNCTIONS.record, await zipOf({ 'index.js': reportingHandler(reportPort) }), { tags })
  await deploy(url, FUNCTIONS.family, await zipOf({ 'index.js': FAMILY }), {
    tags: { 'lambent:max-environments': '1' },
  })
}

/** What a load works on. */
export interface LoadParts {
  readonly fraction: () => number
  readonly tally: Tally
  readonly ledger: EventLedger
  readonly catalogue: Catalogue
}

/** One engine under load: what the load does to it until it is told to stop. */
export interface TargetPlan extends Target {
  /** The argument by which grandchildren of this engine are found. */
  readonly mark: string
  /** Whether grandchildren may hide: only where a process namespace holds them. */
  readonly bare: boolean
}

/**
 * Callers of every kind against one engine, from now until it is killed or `stop` is called; they end by
 * themselves then.
 */
export class Load {
  readonly #parts: LoadParts
  readonly #target: TargetPlan
  readonly #callers: Promise<void>[]
  readonly #unseen = new Set(['sync', 'event', 'family'])
  #sawAll = (): void => {}
  /** Resolves when an operation of every kind has succeeded: from then on a kill meets all of them. */
  readonly flowing: Promise<void> = new Promise((resolve) => (this.#sawAll = resolve))
  #stopped = false
  #families = 0
  #number = 0

  constructor(target: TargetPlan, parts: LoadParts) {
    this.#parts = parts
    this.#target = target
    const loops = [
      ...Array.from({ length: 3 }, () => () => this.#echo()),
      ...Array.from({ length: 6 }, () => () => this.#event()),
      () => this.#family(),
    ]
    this.#callers = loops.map((step) => this.#repeat(step))
  }

  /** Deploying begins when what was deployed before has been looked at. */
  alsoDeploy(): void {
    this.#callers.push(this.#repeat(() => this.#parts.catalogue.step(this.#target)))
  }

  /** Resolves when every caller has its answer, or lost its connection. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#callers)
  }

  async #repeat(step: () => Promise<void>): Promise<void> {
    while (!this.#stopped && this.#target.engine.killedAt === undefined) {
      try {
        await step()
      } catch (error) {
        this.#parts.tally.wrong.push(`a caller failed: ${String(error)}`)
      }
      await elapse(1 + this.#parts.fraction() * 4)
    }
  }

  async #echo(): Promise<void> {
    const { fraction } = this.#parts
    const chance = fraction()
    const nonce = this.#unique()
    const filler = 'x'.repeat(chance < 0.1 ? Math.floor(fraction() * 100_000) : 10)
    const waitMs = chance > 0.5 ? Math.floor(fraction() * 40) : 0
    const spinMs = chance > 0.97 ? 100 : 0
    const reply = await call(invokeUrl(this.#target.url, FUNCTIONS.echo), 'POST', {
      nonce,
      filler,
      waitMs,
      spinMs,
    })
    const problem = problemOf(reply, 200)
    this.#count('sync', reply, problem)
    this.#checkEcho(reply, problem, nonce, filler)
  }

  /** Any answer with status 200 must be this caller's own. */
  #checkEcho(reply: Reply, problem: string | undefined, nonce: string, filler?: string): void {
    if (problem !== undefined) {
      // A killed engine closes the connection: it never says that the function failed.
      if (problem.startsWith('function error'))
        this.#parts.tally.wrong.push(`${nonce} was answered with ${problem}`)
      return
    }
    const body = (reply.kind === 'answer' ? reply.body : {}) as { nonce?: string; filler?: string }
    if (body.nonce !== nonce || body.filler !== filler)
      this.#parts.tally.wrong.push(`${nonce} was answered with ${JSON.stringify(body).slice(0, 200)}`)
  }

  async #event(): Promise<void> {
    const { fraction, ledger } = this.#parts
    const id = this.#unique()
    const filler = 'y'.repeat(fraction() < 0.1 ? Math.floor(fraction() * 50_000) : 20)
    const url = invokeUrl(this.#target.url, FUNCTIONS.record)
    const reply = await call(url, 'POST', { id, filler }, { 'x-amz-invocation-type': 'Event' })
    const problem = problemOf(reply, 202)
    // The acknowledgement counts even when the engine is dead by the time it is read.
    if (problem === undefined && reply.kind === 'answer')
      ledger.accept(id, reply.headers.get('x-amzn-requestid') ?? '')
    this.#count('event', reply, problem)
  }

  async #family(): Promise<void> {
    if (this.#families++ >= 8) return await elapse(20)
    const nonce = this.#unique()
    const { mark, bare } = this.#target
    const reply = await call(invokeUrl(this.#target.url, FUNCTIONS.family), 'POST', { nonce, mark, bare })
    const problem = problemOf(reply, 200)
    this.#count('family', reply, problem)
    this.#checkEcho(reply, problem, nonce)
  }

  #count(kind: string, reply: Reply, problem: string | undefined): void {
    this.#parts.tally.count(kind, this.#target, reply, problem)
    if (problem === undefined && this.#unseen.delete(kind) && this.#unseen.size === 0) this.#sawAll()
  }

  #unique(): string {
    return `${this.#target.mark}-${++this.#number}`
  }
}
