import {
  PutFunctionEventInvokeConfigCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { active, deploy, invokeUrl, zipOf } from '../support/lambent.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { EngineProcess } from './engine-process.ts'
import { call, elapse, problemOf } from './operations.ts'
import { advisedHandler, OutcomeDesk, type Plan } from './outcome-desk.ts'
import { copyProgram } from './program.ts'
import { seededFractions } from './seeded-rng.ts'
import { verifyStopped } from './stopped-data.ts'

const FUNCTION = 'planned'
const CALLERS = 6
/** How long an engine is under load before it is killed, at most. */
const MAX_LOAD_MS = 900
/** Share of engines whose destinations are away. */
const AWAY = 0.25
/** Long enough that retries wait over a kill, short enough that they come due in the same campaign. */
const RETRY_DELAYS_MS = '60,700'
const RETRIES = 2
/** Longer than a destination that was away is left alone in this campaign. */
const STANDSTILL_MS = 60_000
const queueArn = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`

/** What came of a campaign. */
export interface AsyncReport {
  readonly accepted: number
  readonly kinds: Readonly<Record<Plan, number>>
  readonly runs: number
  /** How long everything took to end once nothing was killed any more. */
  readonly restMs: number
  readonly killedWithWaiting: number
  readonly killedWithOwed: number
  readonly records: number
  readonly deadLetters: number
  /** Events that some target was told of more than once, which is allowed. */
  readonly repeated: number
  readonly outcomeProblems: readonly string[]
  readonly deliveryProblems: readonly string[]
  readonly attemptProblems: readonly string[]
  readonly leftovers: readonly string[]
  readonly dataProblems: readonly string[]
}

interface AcceptedEvent {
  readonly id: string
  readonly requestId: string
  readonly plan: Plan
}

/** An invocation record as far as it is looked at. */
interface InvocationRecord {
  readonly requestContext: {
    readonly requestId: string
    readonly condition: string
    readonly approximateInvokeCount: number
  }
}

/**
 * Kills a real engine `cycles` times, on one data directory, while events fail, wait for retries, end, and
 * their outcomes are on their way to queues that are not always there; then lets it come to rest and looks at
 * every event that was acknowledged.
 */
export async function runAsyncCampaign(cycles: number, seed: number): Promise<AsyncReport> {
  using folder = temporaryDirectory()
  const fraction = seededFractions(seed)
  await using desk = new OutcomeDesk(fraction)
  const campaign = new AsyncCampaign(folder, fraction, desk, await desk.open())
  await campaign.prepare()
  for (let cycle = 1; cycle <= cycles; cycle++) await campaign.cycle(cycle)
  return await campaign.finish()
}

class AsyncCampaign {
  readonly #data: string
  readonly #program: string
  readonly #fraction: () => number
  readonly #desk: OutcomeDesk
  readonly #port: number
  readonly #events: AcceptedEvent[] = []
  #number = 0
  #killedWithWaiting = 0
  #killedWithOwed = 0
  #restMs = 0

  constructor(folder: TemporaryDirectory, fraction: () => number, desk: OutcomeDesk, port: number) {
    this.#data = folder.join('data')
    this.#program = copyProgram(folder)
    this.#fraction = fraction
    this.#desk = desk
    this.#port = port
  }

  async prepare(): Promise<void> {
    await using engine = this.#start()
    await engine.ready
    await deploy(engine.url, FUNCTION, await zipOf({ 'index.js': advisedHandler(this.#port) }), {
      tags: { 'lambent:max-environments': '2' },
    })
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    const client = new LambdaClient({ endpoint: engine.url, region: 'us-east-1', credentials })
    const FunctionName = FUNCTION
    const DeadLetterConfig = { TargetArn: queueArn('dead') }
    await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, DeadLetterConfig }))
    const DestinationConfig = {
      OnSuccess: { Destination: queueArn('successes') },
      OnFailure: { Destination: queueArn('failures') },
    }
    await client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig }))
    await active(engine.url, FUNCTION)
    client.destroy()
    await engine.stop()
  }

  async cycle(number: number): Promise<void> {
    this.#desk.isAway = this.#fraction() < AWAY
    this.#desk.trouble = { refused: 0.2, unheard: 0.1 }
    await using engine = this.#start()
    await engine.ready
    let isOver = false
    const callers = Array.from({ length: CALLERS }, async () => {
      while (!isOver) {
        await this.#send(engine, number)
        await elapse(this.#fraction() * 20)
      }
    })
    await elapse(100 + this.#fraction() * MAX_LOAD_MS)
    const { waiting, owed } = await stateOf(engine.url)
    if (waiting > 0) this.#killedWithWaiting += 1
    if (owed > 0) this.#killedWithOwed += 1
    await engine.kill()
    isOver = true
    await Promise.all(callers)
  }

  /** With nothing killed and everybody there, everything has to come to its end. */
  async finish(): Promise<AsyncReport> {
    this.#desk.isAway = false
    this.#desk.trouble = { refused: 0, unheard: 0 }
    await using engine = this.#start()
    await engine.ready
    const leftovers: string[] = []
    await this.#comeToRest(engine.url, leftovers)
    const outcomeProblems = await this.#outcomeProblems(engine.url)
    const end = await engine.stop()
    if (end.code !== 0) leftovers.push(`SIGTERM ended it with ${end.code ?? end.signal}`)
    const records = this.#records()
    const kinds = { always: 0, once: 0, never: 0 }
    for (const { plan } of this.#events) kinds[plan] += 1
    const told = [...records.values(), ...this.#deadLetters().values()]
    return {
      accepted: this.#events.length,
      kinds,
      runs: [...this.#desk.runs.values()].reduce((sum, runs) => sum + runs, 0),
      killedWithWaiting: this.#killedWithWaiting,
      killedWithOwed: this.#killedWithOwed,
      records: [...records.values()].reduce((sum, bodies) => sum + bodies.length, 0),
      deadLetters: [...this.#deadLetters().values()].reduce((sum, bodies) => sum + bodies.length, 0),
      repeated: told.filter((bodies) => bodies.length > 1).length,
      outcomeProblems,
      deliveryProblems: this.#deliveryProblems(records),
      restMs: this.#restMs,
      attemptProblems: this.#attemptProblems(records),
      leftovers,
      dataProblems: await verifyStopped(this.#data),
    }
  }

  /** Waits as long as less and less is owed: how fast that goes is the machine's affair, a stop is not. */
  async #comeToRest(url: string, leftovers: string[]): Promise<void> {
    const startedAt = performance.now()
    let before = Infinity
    let movedAt = startedAt
    for (;;) {
      const { queued, owed } = await stateOf(url)
      if (queued + owed === 0) break
      if (queued + owed !== before) movedAt = performance.now()
      before = queued + owed
      if (performance.now() - movedAt > STANDSTILL_MS) {
        leftovers.push(`nothing moves any more: ${queued} events and ${owed} deliveries are left`)
        break
      }
      await elapse(250)
    }
    this.#restMs = performance.now() - startedAt
  }

  #start(): EngineProcess {
    const settings = {
      LAMBENT_EVENT_RETRY_DELAYS_MS: RETRY_DELAYS_MS,
      AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${this.#port}`,
    }
    return new EngineProcess({ program: this.#program, data: this.#data, settings })
  }

  async #send(engine: EngineProcess, cycle: number): Promise<void> {
    const chance = this.#fraction()
    const plan: Plan = chance < 0.3 ? 'always' : chance < 0.6 ? 'once' : 'never'
    const id = `${cycle}-${++this.#number}`
    const url = invokeUrl(engine.url, FUNCTION)
    const reply = await call(url, 'POST', { id, plan }, { 'x-amz-invocation-type': 'Event' })
    // The acknowledgement counts even when the engine is dead by the time it is read.
    if (problemOf(reply, 202) !== undefined || reply.kind !== 'answer') return
    this.#events.push({ id, plan, requestId: reply.headers.get('x-amzn-requestid') ?? '' })
  }

  /** Every event has one record, with the status that its plan leads to. */
  async #outcomeProblems(url: string): Promise<string[]> {
    const statuses = new Map<string, string[]>()
    for (let before = ''; ;) {
      const query = `function=${FUNCTION}&limit=1000${before === '' ? '' : `&before=${before}`}`
      const response = await fetch(`${url}/lambent/v1/runs?${query}`)
      // of the Lambent API
      const page = (await response.json()) as { runs: { runId: string; status: string }[]; next?: string }
      for (const { runId, status } of page.runs) statuses.set(runId, [...(statuses.get(runId) ?? []), status])
      if (page.next === undefined) break
      before = page.next
    }
    return this.#events.flatMap(({ id, requestId, plan }) => {
      const found = statuses.get(requestId) ?? []
      const expected = plan === 'always' ? 'failed' : 'succeeded'
      if (found.length === 1 && found[0] === expected) return []
      return [`event ${id} (${requestId}) fails ${plan} and is recorded as ${found.join(', ') || 'nothing'}`]
    })
  }

  /** Records by request id, of both queues: an event may stand in one of them only. */
  #records(): Map<string, string[]> {
    const records = new Map<string, string[]>()
    for (const queue of ['successes', 'failures'])
      for (const { body } of this.#desk.messages.get(queue) ?? []) {
        const { requestId } = recordIn(body).requestContext
        records.set(requestId, [...(records.get(requestId) ?? []), body])
      }
    return records
  }

  #deadLetters(): Map<string, string[]> {
    const letters = new Map<string, string[]>()
    for (const { body, requestId = '' } of this.#desk.messages.get('dead') ?? [])
      letters.set(requestId, [...(letters.get(requestId) ?? []), body])
    return letters
  }

  #deliveryProblems(records: ReadonlyMap<string, readonly string[]>): string[] {
    const letters = this.#deadLetters()
    return this.#events.flatMap(({ id, requestId, plan }) => {
      const problems: string[] = []
      const bodies = new Set(records.get(requestId))
      if (bodies.size === 0) problems.push('nobody was told of it')
      if (bodies.size > 1)
        problems.push(`it was told of in ${bodies.size} ways: ${[...bodies].join(' and ')}`)
      const [body = '{"requestContext":{}}'] = bodies
      const { condition } = recordIn(body).requestContext
      const expected = plan === 'always' ? 'RetriesExhausted' : 'Success'
      if (bodies.size > 0 && condition !== expected) problems.push(`its condition is ${condition}`)
      const letter = letters.get(requestId)
      if (plan === 'always' && letter === undefined) problems.push('there is no dead letter of it')
      if (plan !== 'always' && letter !== undefined) problems.push('there is a dead letter of it')
      return problems.map((problem) => `event ${id} (${requestId}), which fails ${plan}: ${problem}`)
    })
  }

  /** A run that a kill cut off is not counted, so there may be more runs than attempts, never fewer. */
  #attemptProblems(records: ReadonlyMap<string, readonly string[]>): string[] {
    return this.#events.flatMap(({ id, requestId, plan }) => {
      const [body] = records.get(requestId) ?? []
      if (body === undefined) return []
      const attempts = recordIn(body).requestContext.approximateInvokeCount
      const runs = this.#desk.runs.get(id) ?? 0
      const most = plan === 'always' ? 1 + RETRIES : plan === 'once' ? 2 : 1
      const fewest = plan === 'always' ? most : 1
      if (attempts >= fewest && attempts <= most && runs >= attempts) return []
      return [`event ${id}, which fails ${plan}, has ${attempts} attempts and ran ${runs} times`]
    })
  }
}

// the engine made it
const recordIn = (body: string): InvocationRecord => JSON.parse(body) as InvocationRecord

/** What an engine owes at this moment. */
async function stateOf(url: string): Promise<{ queued: number; owed: number; waiting: number }> {
  const read = async (path: string): Promise<unknown> => (await fetch(`${url}/lambent/v1/${path}`)).json()
  const health = (await read('health')) as { queuedEvents: number; owedDeliveries: number }
  const list = (await read('runs?status=waiting&limit=1000')) as { runs: { attempt: number }[] }
  const waiting = list.runs.filter(({ attempt }) => attempt > 0).length
  return { queued: health.queuedEvents, owed: health.owedDeliveries, waiting }
}
