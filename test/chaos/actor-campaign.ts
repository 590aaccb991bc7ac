import * as assert from 'node:assert/strict'
import { startLambent, type RunningLambent } from '../support/lambent.ts'
import type { TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { writeFiles } from '../support/write-files.ts'
import { seededFractions } from './seeded-rng.ts'

const CALLERS = 64
/** The actors that are called. */
export const KEYS = ['a', 'b', 'c/d', 'e']
/** So many kills are those of the engine. */
const ENGINE_SHARE = 0.3
/** Calls between two kills, so that each finds the actors at work. */
export const CALLS_BETWEEN = 40

const COUNTER = `
import { Actor } from 'lambent'
export class Counter extends Actor {
  async add(kind: string) {
    const count = ((await this.storage.get<number>(kind)) ?? 0) + 1
    await this.storage.put(kind, count)
    return count
  }
  async counts() {
    return { keyed: (await this.storage.get<number>('keyed')) ?? 0, plain: (await this.storage.get<number>('plain')) ?? 0 }
  }
}
export const handler = async () => 'counts'
`

/** What the callers know of one actor. */
export class Ledger {
  /** Counts that calls with keys were answered with. */
  readonly keyed: number[] = []
  readonly plain: number[] = []
  /** Calls without keys that got no answer, or that a crash cut off: they count or they do not. */
  unknown = 0
}

/** How often what is killed; the seed says what, when. */
export interface Plan {
  readonly kills: number
  readonly seed: number
}

/** An engine under load that is killed, and its environments, again and again. */
export class Campaign {
  acknowledged = 0
  #lambent: RunningLambent
  /** What callers were told instead of a count. */
  readonly #refusals: string[] = []
  readonly #folder: TemporaryDirectory
  readonly #ledgers = new Map(KEYS.map((key) => [key, new Ledger()]))
  readonly #kills: number
  readonly #fraction: () => number
  readonly #ended = new AbortController()

  private constructor(folder: TemporaryDirectory, lambent: RunningLambent, plan: Plan) {
    this.#folder = folder
    this.#lambent = lambent
    this.#kills = plan.kills
    this.#fraction = seededFractions(plan.seed)
  }

  static async start(folder: TemporaryDirectory, plan: Plan): Promise<Campaign> {
    writeFiles(folder, { 'counter/index.ts': COUNTER })
    const argv = ['--deploy', folder.join('counter')]
    return new Campaign(folder, await startLambent({ data: folder.join('data'), argv }), plan)
  }

  ledgerOf(key: string): Ledger {
    const ledger = this.#ledgers.get(key)
    assert.ok(ledger !== undefined)
    return ledger
  }

  async run(): Promise<void> {
    const callers = Array.from({ length: CALLERS }, (_, caller) => this.#callAgainAndAgain(caller))
    for (let kill = 0; kill < this.#kills; kill++) {
      const goal = this.acknowledged + CALLS_BETWEEN
      await until(`${goal} calls were acknowledged`, () => this.acknowledged >= goal, 60_000)
      if (this.#fraction() < ENGINE_SHARE) await this.#killEngine()
      else await this.#killEnvironments()
    }
    const goal = this.acknowledged + CALLS_BETWEEN
    await until('calls are answered after the last kill', () => this.acknowledged >= goal, 60_000)
    this.#ended.abort()
    await Promise.all(callers)
  }

  async counts(key: string): Promise<{ keyed: number; plain: number }> {
    const answer = await this.#post(key, 'counts', [], undefined)
    assert.equal(answer?.status, 200, answer?.text)
    return JSON.parse(answer.text) as { keyed: number; plain: number } // as the class above answers
  }

  /** What there is to see when it does not go on. */
  async condition(): Promise<string> {
    const get = async (path: string): Promise<string> =>
      await fetch(`${this.#lambent.url}/lambent/v1/${path}`, { signal: AbortSignal.timeout(5000) }).then(
        (response) => response.text(),
        (error: unknown) => String(error),
      )
    const seen = await Promise.all([get('actors'), get('environments'), get('health')])
    return [...seen, this.#lambent.stderr().slice(-5000), ...this.#refusals.slice(-20)].join('\n')
  }

  async stop(): Promise<void> {
    assert.equal(await this.#lambent.stop(), 0)
  }

  async #callAgainAndAgain(caller: number): Promise<void> {
    const isKeyed = caller % 2 === 0
    for (let call = 0; !this.#ended.signal.aborted; call++) {
      const key = KEYS[(caller + call) % KEYS.length] ?? ''
      const ledger = this.ledgerOf(key)
      if (!isKeyed) {
        const answer = await this.#post(key, 'add', ['plain'], undefined)
        if (answer?.status === 200) this.#acknowledge(ledger.plain, answer.text)
        else ledger.unknown += 1
        continue
      }
      // Until it is answered: whoever gives up does not know.
      const text = await until(
        'a call with a key is answered',
        async () => {
          const answer = await this.#post(key, 'add', ['keyed'], `${caller}-${call}`)
          return answer?.status === 200 ? answer.text : undefined
        },
        120_000,
      )
      this.#acknowledge(ledger.keyed, text)
    }
  }

  #acknowledge(counts: number[], text: string): void {
    counts.push(Number(text))
    this.acknowledged += 1
  }

  /** Undefined: nobody answered. */
  async #post(
    key: string,
    method: string,
    args: readonly unknown[],
    idempotencyKey: string | undefined,
  ): Promise<{ status: number; text: string } | undefined> {
    const url = `${this.#lambent.url}/lambent/v1/actors/counter/Counter/${encodeURIComponent(key)}/${method}`
    try {
      const response = await fetch(url, {
        method: 'POST',
        body: JSON.stringify(args),
        headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      })
      const answer = { status: response.status, text: await response.text() }
      if (answer.status !== 200) this.#refusals.push(`${answer.status} ${answer.text}`)
      return answer
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20)) // the engine is away
      return undefined
    }
  }

  async #killEngine(): Promise<void> {
    const at = this.#fraction() * 20
    await new Promise((resolve) => setTimeout(resolve, at))
    await this.#lambent.kill()
    this.#lambent = await startLambent({ data: this.#folder.join('data') })
  }

  async #killEnvironments(): Promise<void> {
    const response = await fetch(`${this.#lambent.url}/lambent/v1/environments`)
    const { environments } = (await response.json()) as {
      environments: { pid: number | null; functionName?: string }[]
    }
    for (const { pid, functionName } of environments) if (functionName === 'counter') killProcess(pid)
  }
}

/** It may have ended by itself meanwhile. */
function killProcess(pid: number | null): void {
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // as process.kill throws
  }
}
