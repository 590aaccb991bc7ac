import { until } from '../support/until.ts'
import type { ReportDesk } from './reports.ts'

/** How long a queue may take to be worked off once nothing is killed any more. */
const DRAIN_LIMIT_MS = 60_000
const LOOKUPS_AT_ONCE = 8

interface AcceptedEvent {
  readonly id: string
  readonly requestId: string
  /** Runs that were reported when its outcome was read; undefined before. */
  runsAtOutcome: number | undefined
}

/** Every event that was acknowledged with 202, and what has to hold for it. */
export class EventLedger {
  readonly #desk: ReportDesk
  readonly #events: AcceptedEvent[] = []
  #checked = 0

  constructor(desk: ReportDesk) {
    this.#desk = desk
  }

  get accepted(): number {
    return this.#events.length
  }

  accept(id: string, requestId: string): void {
    this.#events.push({ id, requestId, runsAtOutcome: undefined })
  }

  /** Waits until the engine owes nothing, then looks at each event's outcome. Returns what is wrong. */
  async settle(url: string): Promise<string[]> {
    await until('all accepted events have ended', async () => (await owed(url)) === 0, DRAIN_LIMIT_MS)
    const problems: string[] = []
    const pending = this.#events.slice(this.#checked)
    this.#checked = this.#events.length
    const queue = pending.values()
    const lookUp = async (): Promise<void> => {
      for (const event of queue) {
        const problem = await this.#problemOf(url, event)
        if (problem !== undefined) problems.push(`event ${event.id} (${event.requestId}): ${problem}`)
      }
    }
    await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, lookUp)) // they share one iterator
    return problems
  }

  /** What is wrong with who ran what: twice under one engine, or again after the outcome was on record. */
  runProblems(): string[] {
    const problems: string[] = []
    for (const [id, reports] of this.#desk.reports) {
      const engines = reports.map((report) => report.engine)
      if (engines.includes('unknown')) problems.push(`event ${id} ran in a process without a cookie`)
      const twice = engines.find((engine, index) => engines.indexOf(engine) !== index)
      if (twice !== undefined) {
        const where = reports.map((report) => `${report.engine} in ${report.environment}`).join(', ')
        problems.push(`event ${id} ran twice under one engine: ${where}`)
      }
    }
    for (const { id, runsAtOutcome } of this.#events) {
      const runs = this.#desk.reports.get(id)?.length ?? 0
      if (runsAtOutcome !== undefined && runs > runsAtOutcome)
        problems.push(`event ${id} ran again after its outcome was recorded`)
    }
    return problems
  }

  /** Events that a kill made run more than once, which is allowed. */
  get repeated(): number {
    return [...this.#desk.reports.values()].filter((reports) => reports.length > 1).length
  }

  /** Walks all records of the function and says which accepted events have not exactly one. */
  async recordProblems(url: string, functionName: string): Promise<string[]> {
    const records = new Map<string, number>()
    for (let before = ''; ;) {
      const query = `function=${functionName}&limit=1000${before === '' ? '' : `&before=${before}`}`
      const response = await fetch(`${url}/lambent/v1/runs?${query}`)
      // of the Lambent API
      const page = (await response.json()) as { runs: { runId: string }[]; next?: string }
      for (const { runId } of page.runs) records.set(runId, (records.get(runId) ?? 0) + 1)
      if (page.next === undefined) break
      before = page.next
    }
    return this.#events
      .filter((event) => records.get(event.requestId) !== 1)
      .map((event) => `event ${event.id} has ${records.get(event.requestId) ?? 0} records`)
  }

  async #problemOf(url: string, event: AcceptedEvent): Promise<string | undefined> {
    const runs = this.#desk.reports.get(event.id)?.length ?? 0
    event.runsAtOutcome = runs
    if (runs === 0) return 'never ran'
    const response = await fetch(`${url}/lambent/v1/runs/${event.requestId}`)
    if (response.status !== 200) return `ran, but its record answers ${response.status}`
    const record = (await response.json()) as { status: string; errorMessage: string | null }
    return record.status === 'succeeded' ? undefined : `${record.status}: ${record.errorMessage}`
  }
}

/** How many accepted events have not ended, as the engine says. */
export async function owed(url: string): Promise<number> {
  const response = await fetch(`${url}/lambent/v1/health`)
  return ((await response.json()) as { queuedEvents: number }).queuedEvents
}
