import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry as Metrics } from 'prom-client'
import type { EngineEvent } from '../../runtime/feed.ts'
import type { Engine } from '../../runtime/index.ts'

/** Functions that get labels of their own; runs of further ones are counted under `other`. */
const MAX_FUNCTION_LABELS = 500
const DURATION_BUCKETS_S = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
]

/** What Prometheus reads. */
export interface EngineMetrics extends Disposable {
  readonly contentType: string
  text(): Promise<string>
}

/**
 * Metrics of one engine, counted from its events: invocations by function, status and cold start, their
 * durations, and gauges that are read when somebody asks. Starts at zero with the engine.
 */
export function createMetrics(
  engine: Pick<Engine, 'health' | 'environments' | 'nodes' | 'watch' | 'journal'>,
): EngineMetrics {
  const metrics = new Metrics()
  collectDefaultMetrics({ register: metrics })
  const invocations = new Counter({
    name: 'lambent_invocations_total',
    help: 'Invocations that ended, by function, status and whether they started an environment',
    labelNames: ['function', 'status', 'cold'],
    registers: [metrics],
  })
  const durations = new Histogram({
    name: 'lambent_invocation_duration_seconds',
    help: 'Time in the handler',
    labelNames: ['function', 'cold'],
    buckets: DURATION_BUCKETS_S,
    registers: [metrics],
  })
  const lost = new Counter({
    name: 'lambent_lost_deliveries_total',
    help: 'Outcomes that did not get to a destination or a dead-letter target (DestinationDeliveryFailures, DeadLetterErrors)',
    labelNames: ['function', 'kind'],
    registers: [metrics],
  })
  addGauges(metrics, engine)
  const known = new Set<string>()
  const labelOf = (functionName: string): string => {
    if (known.size < MAX_FUNCTION_LABELS) known.add(functionName)
    return known.has(functionName) ? functionName : 'other'
  }
  const watching = engine.watch(undefined, (event) => {
    if (event.kind === 'delivery-failed')
      lost.inc({ function: labelOf(String(event.subject.functionName)), kind: String(event.subject.kind) })
    const run = finishedRun(event)
    if (run === undefined) return
    const name = labelOf(run.functionName)
    invocations.inc({ function: name, status: run.status, cold: run.cold })
    durations.observe({ function: name, cold: run.cold }, run.durationMs / 1000)
  })
  return {
    contentType: metrics.contentType,
    text: () => metrics.metrics(),
    [Symbol.dispose]: () => watching[Symbol.dispose](),
  }
}

interface FinishedRun {
  readonly functionName: string
  readonly status: string
  readonly cold: 'true' | 'false'
  readonly durationMs: number
}

/** A `run-finished` event carries functionName, status, cold and durationMs. */
function finishedRun({ kind, subject }: EngineEvent): FinishedRun | undefined {
  if (kind !== 'run-finished') return undefined
  const { functionName, status, cold, durationMs } = subject
  if (typeof functionName !== 'string' || typeof status !== 'string') return undefined
  return {
    functionName,
    status,
    cold: cold === true ? 'true' : 'false',
    durationMs: typeof durationMs === 'number' ? durationMs : 0,
  }
}

function addGauges(
  metrics: Metrics,
  engine: Pick<Engine, 'health' | 'environments' | 'nodes' | 'journal'>,
): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const collect = collecting((self) => self.set(read()))
    metrics.registerMetric(new Gauge({ name, help, registers: [], collect }))
  }
  gauge('lambent_up', '1 when the engine works, 0 when it is degraded', () =>
    engine.health().status === 'ok' ? 1 : 0,
  )
  gauge('lambent_waiting', 'Invocations that wait for an environment', () =>
    sum(engine.health().waiting.map((one) => one.waiting)),
  )
  gauge('lambent_in_flight', 'Invocations that run', () => engine.health().inFlight)
  gauge('lambent_queued_events', 'Accepted events that have not ended', () => engine.health().queuedEvents)
  gauge(
    'lambent_owed_deliveries',
    'Outcomes of events on their way to a target',
    () => engine.health().owedDeliveries,
  )
  gauge('lambent_dropped_log_lines', 'Log lines lost to a full buffer', () => engine.journal.dropped.lines)
  gauge('lambent_dropped_runs', 'Run records lost to a full buffer', () => engine.journal.dropped.runs)
  const environments = new Gauge({
    name: 'lambent_environments',
    help: 'Execution environments by state',
    labelNames: ['state'],
    registers: [],
    collect: collecting((self) => {
      self.reset()
      for (const state of ['starting', 'spare', 'loading', 'idle', 'busy', 'draining']) self.set({ state }, 0)
      for (const { state } of engine.environments()) self.inc({ state })
    }),
  })
  metrics.registerMetric(environments)
  for (const side of ['capacity', 'available'] as const) {
    const amounts = new Gauge({
      name: `lambent_node_${side}`,
      help: `Resources of a node: ${side}, plain units`,
      labelNames: ['node', 'resource'],
      registers: [],
      collect: collecting((self) => {
        self.reset()
        for (const node of engine.nodes()) {
          for (const [resource, amount] of Object.entries(node[side])) {
            self.set({ node: node.name, resource }, amount)
          }
        }
      }),
    })
    metrics.registerMetric(amounts)
  }
}

const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0)

/** prom-client hands the gauge over as `this`. */
const collecting = (read: (self: Gauge) => void) =>
  function collect(this: Gauge): void {
    read(this)
  }
