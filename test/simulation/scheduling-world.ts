import { EngineError } from '../../runtime/errors.ts'
import { Invocation, type InvocationObserver } from '../../runtime/environments/invocation.ts'
import type { Resources } from '../../runtime/resources.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import { GROUP_STRATEGIES } from '../../runtime/scheduler/group-placement.ts'
import { readGroupWish } from '../../runtime/scheduler/group-wish.ts'
import type { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import type { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import type { PlacementGroup } from '../../runtime/scheduler/placement-group.ts'
import type { Scheduler } from '../../runtime/scheduler/scheduler.ts'
import type { ScriptedProcess } from '../support/scripted-process.ts'
import type { Chance, Trace } from './chance.ts'
import { simulatedClock } from './clock.ts'
import type { Ledger } from './ledger.ts'
import { createSchedulingEngine, type SchedulingEngine } from './scheduling-engine.ts'
import {
  SCOPE,
  PATIENCE_MS,
  GROUP_LIFE_MS,
  SHAPES,
  BUNDLES,
  ACTS,
  FLOOD,
  CALM,
  versionOf,
  memberOf,
} from './scheduling-parts.ts'
import { checkScheduling, type SchedulingView, type Waiting } from './scheduling-rules.ts'
import { Violation, type SimulatedWorld } from './simulate.ts'

/** An invocation and what became of it. */
interface Submitted {
  readonly invocation: Invocation
}

/**
 * The scheduler with its leases and placement groups, over processes that start, answer, crash, hang and end
 * in any order, nodes that drain and shrink, and groups that come and go.
 */
export class SchedulingWorld implements SimulatedWorld {
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #planted: string | undefined
  readonly #clock = simulatedClock()
  readonly #machine: LocalCluster
  readonly #ledger: Ledger
  readonly #all: PlacementGroups
  readonly #scheduler: Scheduler
  readonly #view: SchedulingView
  readonly #starter: SchedulingEngine['starter']
  readonly #early: (leaseId: number) => void
  readonly #live = new Set<ScriptedProcess>()
  readonly #wasKilled = new Set<ScriptedProcess>()
  #started = 0
  readonly #open = new Map<string, Submitted>()
  readonly #groups = new Map<string, PlacementGroup>()
  /** Who waits for a group to change, and its state when they began. */
  readonly #watched: SchedulingView['watched'] = new Map()
  readonly #blocked = new Map<Invocation, Waiting>()
  readonly #readySince = new Map<PlacementGroup, number>()
  #requests = 0
  #groupNumber = 0
  #calm = false
  #floods = false

  constructor(chance: Chance, trace: Trace, planted?: string) {
    this.#chance = chance
    this.#trace = trace
    this.#planted = planted
    const clock = this.#clock
    const engine = createSchedulingEngine({
      ...{ clock, chance, planted },
      onOrphan: (invocation) => this.#end(invocation, 'orphaned'),
    })
    this.#machine = engine.machine
    this.#ledger = engine.ledger
    this.#all = engine.groups
    this.#scheduler = engine.scheduler
    this.#starter = engine.starter
    this.#early = engine.early
    this.#view = {
      ...{ chance, clock, machine: this.#machine, ledger: this.#ledger, scheduler: this.#scheduler },
      ...{ all: this.#all, live: this.#live, groups: this.#groups },
      ...{ watched: this.#watched, blocked: this.#blocked },
    }
  }

  async step(): Promise<void> {
    const act = this.#chance.weighted(this.#floods ? FLOOD : this.#calm ? CALM : ACTS)
    this[act]()
    await turn()
    this.#meetProcesses()
  }

  check(): void {
    checkScheduling(this.#view)
  }

  async settle(): Promise<number> {
    this.#calm = true
    for (const { name } of this.#machine.nodes())
      this.#machine.configure(name, { capacity: {}, labels: {}, drain: false })
    let steps = 0
    // small work without an end must not starve a group that asks for much
    for (this.#floods = true; [...this.#groups.values()].some(({ waits }) => waits); steps++) {
      await this.step()
      this.check()
    }
    this.#floods = false
    const until = this.#clock.monotonicMs() + PATIENCE_MS
    while (this.#open.size > 0 || [...this.#groups.values()].some(({ waits }) => waits)) {
      if (this.#clock.monotonicMs() > until) throw new Violation(this.#whatHangs())
      await this.step()
      this.check()
      steps += 1
    }
    await this.#endAll()
    return steps
  }

  // -- what happens

  submit(): void {
    if (this.#calm) return
    const inGroup = this.#chance.happens(0.25) ? this.#chance.pick([...this.#groups.keys()]) : undefined
    this.#submit(inGroup)
  }

  flood(): void {
    for (let more = this.#scheduler.waiting; more < 10; more++) this.#submit(undefined, 0)
  }

  #submit(inGroup: string | undefined, shape = this.#chance.whole(0, SHAPES.length - 1)): void {
    const of = inGroup === undefined ? versionOf(shape) : memberOf(inGroup, this.#chance.whole(0, 1))
    this.#requests += 1
    const requestId = `r${this.#requests}`
    const invocation = new Invocation(this.#input(requestId, of), this.#clock.monotonicMs())
    this.#open.set(requestId, { invocation })
    this.#note(`submit ${requestId} ${of.key}`)
    if (this.#planted === 'an accepted invocation is dropped' && this.#chance.happens(0.02)) return
    try {
      this.#scheduler.submit(invocation)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      this.#end(invocation, `throttled ${error.detail}`)
    }
  }

  /** A process does what it has to do next. */
  progress(): void {
    const process = this.#chance.pick([...this.#live])
    if (process === undefined) return
    const { environment } = process
    if (process.killed) {
      if (this.#calm || this.#chance.happens(0.5)) this.#gone(process, 137)
      return
    }
    if (process.recalls.length > 0) process.giveBack()
    if (process.shutdowns.length > 0) return this.#gone(process, 0)
    if (environment.state === 'starting') {
      if (!this.#calm && this.#chance.happens(0.03)) return this.#gone(process, 1)
      this.#note(`boot ${environment.id}`)
      return process.boot()
    }
    if (environment.state === 'loading') {
      const failed = !this.#calm && this.#chance.happens(0.03)
      this.#note(`load ${environment.id} ${failed}`)
      return process.initialize(failed ? { errorType: 'Error', errorMessage: '', trace: [] } : undefined)
    }
    this.#answer(process)
  }

  pass(): void {
    const byMs = this.#chance.weighted([
      [80, this.#chance.whole(1, 10)],
      [15, this.#chance.whole(10, 60)],
      [this.#calm ? 10 : 2, this.#chance.whole(300, 1500)],
    ])
    this.#note(`pass ${byMs}`)
    this.#clock.advance(byMs)
    this.#endOldGroups()
  }

  crash(): void {
    const process = this.#chance.pick([...this.#live])
    if (process !== undefined) this.#gone(process, 1)
  }

  /** A group that is ready is used for a while, and a watcher of one that waits is never forgotten. */
  #endOldGroups(): void {
    const now = this.#clock.monotonicMs()
    for (const [name, group] of this.#groups) {
      const since = this.#readySince.get(group)
      if (group.state !== 'ready') this.#readySince.delete(group)
      else if (since === undefined) this.#readySince.set(group, now)
      else if (now - since > GROUP_LIFE_MS) this.#removeGroup(name, group)
    }
  }

  /** What is said twice, or too late. */
  echo(): void {
    const process = this.#chance.pick(this.#starter.processes.slice(-20))
    if (process === undefined) return
    const { environment } = process
    if (environment.state === 'idle' || environment.state === 'busy' || environment.state === 'stopped')
      environment.frame(35, 0, 1_000_000 + this.#chance.whole(0, 9), 0, Buffer.alloc(64))
  }

  makeGroup(): void {
    if (this.#calm || this.#groups.size >= 4) return
    const bundles = Array.from({ length: this.#chance.whole(1, 3) }, () => this.#chance.pick(BUNDLES))
    const { spec } = readGroupWish({ bundles, strategy: this.#chance.pick(GROUP_STRATEGIES) })
    const name = `g${(this.#groupNumber += 1)}`
    try {
      this.#all.check(SCOPE, spec, name)
    } catch (error) {
      if (error instanceof EngineError && error.code === 'infeasible') return this.#note(`refused ${name}`)
      throw error
    }
    const group = this.#all.create(SCOPE, spec, { name, isNamed: false })
    this.#groups.set(name, group)
    this.#note(`group ${name} ${group.state}`)
    if (group.state !== 'ready') this.#watch(group)
  }

  removeGroup(): void {
    const name = this.#chance.pick([...this.#groups.keys()])
    const group = name === undefined ? undefined : this.#groups.get(name)
    if (name === undefined || group === undefined) return
    this.#removeGroup(name, group)
  }

  #removeGroup(name: string, group: PlacementGroup): void {
    this.#note(`remove ${name}`)
    this.#groups.delete(name)
    this.#readySince.delete(group)
    this.#all.remove(group)
  }

  changeNode(): void {
    const node = this.#chance.pick(this.#machine.nodes())
    if (node === undefined) return
    const drain = this.#chance.happens(0.3)
    const capacity: Resources = this.#chance.happens(0.3) ? { cpu: this.#chance.whole(2, 4) * 1000 } : {}
    this.#note(`node ${node.name} ${drain} ${JSON.stringify(capacity)}`)
    this.#machine.configure(node.name, { capacity, labels: {}, drain })
  }

  /** The code of an invocation waits for others, or wants to go on. */
  wait(): void {
    const process = this.#chance.pick([...this.#live])
    const invocation = process?.environment.inFlight[0]
    if (process === undefined || process.killed || invocation?.state !== 'running') return
    const before = this.#blocked.get(invocation)
    if (before === undefined) {
      if (this.#calm) return
      this.#note(`block ${invocation.input.requestId}`)
      this.#blocked.set(invocation, { process, wantsBack: false, resumed: false })
      return this.#scheduler.lending.block(process.environment, invocation)
    }
    if (!before.wantsBack) this.#wantBack(invocation, before)
  }

  // -- in detail

  #answer(process: ScriptedProcess): void {
    const [held] = process.held
    if (held === undefined) return
    const submitted = this.#open.get(held.requestId)
    const waiting = submitted === undefined ? undefined : this.#blocked.get(submitted.invocation)
    if (submitted !== undefined && waiting !== undefined && !waiting.resumed) {
      if (!waiting.wantsBack) this.#wantBack(submitted.invocation, waiting)
      return
    }
    // work ends within seconds, so that nobody waits for ever
    const ran = this.#clock.monotonicMs() - (submitted?.invocation.startedAt ?? 0)
    if (!this.#calm && ran < 1500 && this.#chance.happens(0.5)) return
    this.#note(`answer ${held.requestId}`)
    process.answer(held.requestId)
  }

  #wantBack(invocation: Invocation, waiting: Waiting): void {
    waiting.wantsBack = true
    this.#note(`unblock ${invocation.input.requestId}`)
    this.#scheduler.lending.unblock(waiting.process.environment, invocation, () => {
      if (this.#planted === 'who waits for its processor is not told' && this.#chance.happens(0.2)) return
      waiting.resumed = true
    })
  }

  #watch(group: PlacementGroup): void {
    const watched = { state: group.state, told: 0 }
    this.#watched.set(group, watched)
    const deaf = this.#planted === 'who waits for a group is not told'
    this.#all.onceChanged(group, () => {
      if (!deaf) watched.told += 1
    })
  }

  #gone(process: ScriptedProcess, code: number): void {
    this.#note(`gone ${process.environment.id} ${code}`)
    this.#live.delete(process)
    process.held.length = 0
    process.crash(code)
  }

  /** New processes, and those that were told to end since the last look. */
  #meetProcesses(): void {
    const { processes } = this.#starter
    for (; this.#started < processes.length; this.#started++) {
      const process = processes[this.#started]
      if (process === undefined) continue
      process.slowToDie = true
      this.#live.add(process)
    }
    for (const process of this.#live) {
      if (!process.killed || this.#wasKilled.has(process)) continue
      this.#wasKilled.add(process)
      this.#note(`killed ${process.environment.id}`)
      const lease = this.#scheduler.leaseOf(process.environment)
      if (lease !== undefined) this.#early(lease.id)
    }
  }

  #input(requestId: string, of: FunctionVersion): Invocation['input'] {
    return {
      ...{ requestId, version: of, invokedArn: '', traceId: '', clientContext: '', tenantId: '' },
      limits: { functionId: of.functionId, reservedConcurrency: null, inFlight: 0 },
      payload: PAYLOAD,
      streaming: false,
      waitsForever: this.#chance.happens(0.3),
      observer: this.#observer,
    }
  }

  readonly #observer: InvocationObserver = {
    answered: (one) => this.#end(one, 'answered'),
    notJson: (one) => this.#end(one, 'not JSON'),
    initFailed: (one) => this.#end(one, 'init failed'),
    lost: (one) => this.#end(one, 'lost'),
    refused: (one, error) => this.#end(one, `refused ${error.code}`),
    settled: () => {},
    streamStarted: () => {},
    streamData: () => {},
    streamEnded: (one) => this.#end(one, 'stream ended'),
  }

  #end(invocation: Invocation, how: string): void {
    const { requestId } = invocation.input
    this.#note(`${requestId} ${how}`)
    const submitted = this.#open.get(requestId)
    if (submitted === undefined) throw new Violation(`${requestId} ended twice, the second time ${how}`)
    this.#open.delete(requestId)
    this.#blocked.delete(invocation)
  }

  #whatHangs(): string {
    const waiting = [...this.#open.keys()].slice(0, 5)
    const groups = [...this.#groups.values()].filter((group) => group.waits)
    const reasons = [
      ...this.#scheduler.reasons().map(({ functionName, reason }) => `${functionName}: ${reason}`),
      ...groups.map((group) => `${group.name}: ${this.#all.reason(group)}`),
    ]
    return `${this.#open.size} invocations never end (${waiting.join(', ')}): ${reasons.join('; ')}`
  }

  /** Everything ends, and then everything is free again. */
  async #endAll(): Promise<void> {
    for (const group of this.#groups.values()) this.#all.remove(group)
    this.#groups.clear()
    const closed = this.#scheduler.close()
    for (let turns = 0; turns < 5; turns++) {
      this.#meetProcesses()
      for (const process of this.#live) this.#gone(process, 0)
      await turn()
      this.#clock.advance(1000)
      await turn()
    }
    if (this.#ledger.size > 0) throw new Violation(`${this.#ledger.size} leases are never given back`)
    await closed
    this.#all.close()
    for (const { name, available, capacity } of this.#machine.nodes())
      for (const resource in capacity)
        if (available[resource] !== capacity[resource])
          throw new Violation(
            `${available[resource]} of ${capacity[resource]} ${resource} is free on ${name} at the end`,
          )
  }

  #note(text: string): void {
    this.#trace.note(text)
  }
}

const PAYLOAD = Buffer.from('{}')

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
