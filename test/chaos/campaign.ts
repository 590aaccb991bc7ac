import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { Catalogue } from './catalogue.ts'
import { EngineProcess } from './engine-process.ts'
import { EventLedger } from './event-ledger.ts'
import { deployLoad, FUNCTIONS, Load, type TargetPlan } from './load.ts'
import { elapse, Tally } from './operations.ts'
import { countMarked, survivorsOf, treeOf, type EngineTree } from './processes.ts'
import { copyProgram } from './program.ts'
import { openReportDesk } from './reports.ts'
import { seededFractions } from './seeded-rng.ts'
import { verifyStopped } from './stopped-data.ts'

/** After a kill, when nothing may be left any more. */
export const GONE_LIMIT_MS = 1000
/** Looking costs processor time that the next engine's start would like to have. */
const LOOK_PAUSE_MS = 20
const MAX_DELAY_MS = 500
/**
 * Between the look at the engine's processes and its death; who starts in between is found by cookie and
 * mark.
 */
const FLIGHT_MS = 30
/**
 * Share of cycles without isolation, of kills before the engine is ready, and of cycles that wait for the
 * queue.
 */
const PLAIN = 0.25
const EARLY = 0.1
const SETTLING = 0.2
/**
 * Share of kills that may come before the load has had its first answers; the others wait for it up to a
 * limit.
 */
const COLD = 0.25
const FLOW_LIMIT_MS = 5000

/** What a campaign of kills has found. Empty lists are what is wanted. */
export interface CampaignReport {
  readonly seed: number
  readonly kills: number
  /** Kills that came before the engine was ready. */
  readonly earlyKills: number
  readonly plainKills: number
  readonly readyMs: readonly number[]
  /** The same without the time it waited for a processor that others had. */
  readonly servedReadyMs: readonly number[]
  readonly goneMs: readonly number[]
  readonly accepted: number
  readonly repeated: number
  readonly marked: number
  readonly catalogueChecks: number
  readonly tally: Tally
  readonly eventProblems: readonly string[]
  readonly leftBehind: readonly string[]
  readonly catalogueProblems: readonly string[]
  readonly engineProblems: readonly string[]
  readonly dataProblems: readonly string[]
}

/** Kills a real engine `cycles` times under load, on one data directory, and checks what has to hold. */
export async function runCampaign(cycles: number, seed: number): Promise<CampaignReport> {
  using folder = temporaryDirectory()
  await using desk = await openReportDesk()
  const campaign = new Campaign(folder, seed, new EventLedger(desk))
  await campaign.prepare(desk.port)
  for (let cycle = 1; cycle <= cycles; cycle++) await campaign.cycle(cycle)
  return await campaign.finish(cycles)
}

class Campaign {
  readonly #data: string
  readonly #program: string
  readonly #seed: number
  readonly #fraction: () => number
  readonly #ledger: EventLedger
  readonly #tally = new Tally()
  readonly #catalogue: Catalogue
  readonly #readyMs: number[] = []
  readonly #servedReadyMs: number[] = []
  readonly #goneMs: number[] = []
  readonly #eventProblems: string[] = []
  readonly #leftBehind: string[] = []
  readonly #catalogueProblems: string[] = []
  readonly #engineProblems: string[] = []
  /** The look for what the last kill left; the next engine may be starting meanwhile. */
  #looking: Promise<void> = Promise.resolve()
  #earlyKills = 0
  #plainKills = 0
  #marked = 0
  #catalogueChecks = 0

  constructor(folder: TemporaryDirectory, seed: number, ledger: EventLedger) {
    this.#data = folder.join('data')
    this.#program = copyProgram(folder)
    this.#seed = seed
    this.#fraction = seededFractions(seed)
    this.#ledger = ledger
    this.#catalogue = new Catalogue(['changing-a', 'changing-b', 'changing-c'], this.#fraction, this.#tally)
  }

  async prepare(reportPort: number): Promise<void> {
    await using engine = this.#start('auto')
    await engine.ready
    await deployLoad(engine.url, reportPort)
    await engine.stop()
  }

  async cycle(number: number): Promise<void> {
    const plain = this.#fraction() < PLAIN
    await using engine = this.#start(plain ? 'none' : 'auto')
    if (plain) this.#plainKills += 1
    const mark = `86400.${this.#seed}${String(number).padStart(5, '0')}`
    if (this.#fraction() < EARLY) {
      this.#earlyKills += 1
      await elapse(this.#fraction() * MAX_DELAY_MS)
      return await this.#kill(engine, mark)
    }
    await this.#ready(engine)
    const target: TargetPlan = { url: engine.url, engine, mark, bare: !plain }
    if (this.#fraction() < SETTLING) this.#eventProblems.push(...(await this.#ledger.settle(engine.url)))
    const load = this.#load(target)
    const checked = this.#checkCatalogue(target, load)
    const flowing = Promise.all([load.flowing, checked])
    if (this.#fraction() > COLD) await Promise.race([flowing, engine.ended, elapse(FLOW_LIMIT_MS)])
    await elapse(this.#fraction() * MAX_DELAY_MS)
    await this.#kill(engine, mark)
    await checked
    await load.stop()
  }

  /** With nothing killed any more: everything has to come to its end, and the folder has to be sound. */
  async finish(cycles: number): Promise<CampaignReport> {
    await this.#looking
    await using engine = this.#start('auto')
    await this.#ready(engine)
    const target: TargetPlan = { url: engine.url, engine, mark: `86400.${this.#seed}`, bare: true }
    const problems = await this.#catalogue.check(target, true)
    this.#catalogueProblems.push(...(problems ?? []))
    const load = this.#load(target)
    load.alsoDeploy()
    await elapse(2 * MAX_DELAY_MS)
    await load.stop()
    this.#eventProblems.push(...(await this.#ledger.settle(engine.url)))
    this.#eventProblems.push(...this.#ledger.runProblems())
    this.#eventProblems.push(...(await this.#ledger.recordProblems(engine.url, FUNCTIONS.record)))
    const tree = treeOf(engine.pid)
    const end = await engine.stop()
    if (end.code !== 0) this.#engineProblems.push(`SIGTERM ended it with ${end.code ?? end.signal}`)
    await this.#lookForSurvivors(tree, target.mark, performance.now())
    return {
      seed: this.#seed,
      kills: cycles,
      earlyKills: this.#earlyKills,
      plainKills: this.#plainKills,
      readyMs: this.#readyMs,
      servedReadyMs: this.#servedReadyMs,
      goneMs: this.#goneMs,
      accepted: this.#ledger.accepted,
      repeated: this.#ledger.repeated,
      marked: this.#marked,
      catalogueChecks: this.#catalogueChecks,
      tally: this.#tally,
      eventProblems: this.#eventProblems,
      leftBehind: this.#leftBehind,
      catalogueProblems: this.#catalogueProblems,
      engineProblems: this.#engineProblems,
      dataProblems: await verifyStopped(this.#data),
    }
  }

  #start(isolation: 'auto' | 'none'): EngineProcess {
    return new EngineProcess({ program: this.#program, data: this.#data, isolation })
  }

  async #ready(engine: EngineProcess): Promise<void> {
    const readyMs = await engine.ready
    this.#readyMs.push(readyMs)
    this.#servedReadyMs.push(readyMs - engine.starvedMs)
  }

  #load(target: TargetPlan): Load {
    const { fraction, tally, ledger, catalogue } = {
      fraction: this.#fraction,
      tally: this.#tally,
      ledger: this.#ledger,
      catalogue: this.#catalogue,
    }
    return new Load(target, { fraction, tally, ledger, catalogue })
  }

  /** Deploying goes on once what was acknowledged before has been found again. */
  async #checkCatalogue(target: TargetPlan, load: Load): Promise<void> {
    try {
      const problems = await this.#catalogue.check(target)
      if (problems === undefined) return // killed in between: the next cycle looks
      this.#catalogueChecks += 1
      this.#catalogueProblems.push(...problems)
      load.alsoDeploy()
    } catch (error) {
      if (target.engine.killedAt === undefined) this.#catalogueProblems.push(String(error))
    }
  }

  async #kill(engine: EngineProcess, mark: string): Promise<void> {
    await this.#looking
    if (engine.end !== undefined) this.#engineProblems.push(`it died before it was killed:\n${engine.stderr}`)
    const tree = treeOf(engine.pid)
    this.#marked += countMarked(mark)
    // The look has held up the callers, who live in this process: they are in full flight again when it dies.
    await elapse(this.#fraction() * FLIGHT_MS)
    const killedAt = performance.now()
    const ended = engine.kill()
    this.#looking = this.#lookForSurvivors(tree, mark, killedAt)
    await ended
    if (this.#fraction() < 0.5) await this.#looking
  }

  async #lookForSurvivors(tree: EngineTree, mark: string, killedAt: number): Promise<void> {
    for (;;) {
      const afterMs = performance.now() - killedAt
      const survivors = survivorsOf(tree, mark)
      if (survivors.length === 0) return void this.#goneMs.push(afterMs)
      if (afterMs > GONE_LIMIT_MS) {
        this.#goneMs.push(afterMs)
        return void this.#leftBehind.push(...survivors)
      }
      await elapse(LOOK_PAUSE_MS)
    }
  }
}
