import { join } from 'node:path'
import type { Clock } from '../../../clock.ts'
import type { ApiRoute } from '../bridge/api-server.ts'
import { BatchSender } from './batch-sender.ts'
import { extensionRoutes } from './extension-api.ts'
import {
  ExtensionProcess,
  extensionNames,
  extensionVariables,
  type ExtensionExit,
} from './extension-process.ts'
import { Extensions, type Extension, type ShutdownReason } from './extensions.ts'
import { InvocationLedger, type LedgerAnswer, type LedgerInvocation } from './invocation-ledger.ts'
import { LineSplitter } from './line-splitter.ts'
import * as events from './platform-events.ts'
import type { EnvironmentFacts, PhaseStatus, PlatformEvent } from './platform-events.ts'
import type { Subscription } from './subscription.ts'
import { Telemetry } from './telemetry.ts'
import type { TelemetryEvent } from './telemetry-event.ts'

/** How long an environment takes to end politely: by whom there is. */
const INTERNAL_BUDGET_MS = 500
const EXTERNAL_BUDGET_MS = 2_000
/** Of that, the runtime's share where extensions come after it. */
const RUNTIME_SHARE = 0.3
/** One that says that it cannot go on ends by itself soon, with a code that is worth telling. */
const EXIT_FOLLOWS_MS = 200
/** A function without a time limit: as far away as timers go. */
const FAR_MS = 2 ** 31 - 1

/** Errors of the platform's own; others are told as unknown. */
const KNOWN_ERROR = /^(Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+$/

/** What the platform calls a failure of an extension. */
export interface ExtensionFailure {
  readonly errorType: string
  readonly message: string
}

/** What a host is told once about its environment. */
export interface HostOptions {
  readonly clock: Clock
  readonly identifiers: () => string
  readonly facts: EnvironmentFacts
  readonly handler: string
  readonly account: string
  readonly concurrency: number
  /** The folder of external extensions; undefined for none. */
  readonly directory: string | undefined
  /** Variables of the function. */
  readonly variables: Readonly<Record<string, string>>
  /** Whether the function's log is JSON. */
  readonly structuredLogs: boolean
  /** Where the environment listens under the name sandbox.localdomain. */
  readonly address: string
  /** Whether other environments run as the same user. */
  readonly sharesUser: boolean
  readonly maxRssKb: () => number
}

/** What a host has to say to its environment. */
export interface HostEvents {
  /** The runtime and all extensions wait for work, this long after the start. */
  initialized(durationMs: number): void
  /** The runtime and all extensions have done with the invocation that was answered last. */
  settled(durationMs: number): void
  /** An extension failed: the environment has to end. Called once. */
  failed(failure: ExtensionFailure): void
  /** From now on the environment needs this long to end politely. */
  budget(ms: number): void
  /** What belongs into the function's own log. */
  tell(event: PlatformEvent): void
  print(line: string): void
}

/** The runtime's process at the end of an environment. */
export interface EndingRuntime {
  signal(name: NodeJS.Signals): void
  /** Resolves when it is gone. */
  readonly gone: Promise<void>
}

/**
 * The extensions of an environment, beside its runtime: started before it, told of invocations and of the
 * end, and sent what happens if they ask for it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export class ExtensionHost {
  readonly #options: HostOptions
  readonly #on: HostEvents
  readonly #clock: Clock
  readonly #extensions: Extensions
  readonly #telemetry: Telemetry
  readonly #sender: BatchSender
  readonly #ledger: InvocationLedger
  readonly #lines: LineSplitter
  readonly #processes = new Map<string, { process: ExtensionProcess; gone: Promise<void> }>()
  readonly #startedAt: number
  #phase: 'starting' | 'runtime' | 'waiting' | 'serving' | 'ending' = 'starting'
  /** The invocation that runs where one runs at a time, and whether the runtime has done with it. */
  #current: { requestId: string; runtimeDone: boolean } | undefined
  #registered: ((all: boolean) => void) | undefined
  /** Extensions that have said that they cannot go on, with what the platform calls that. */
  readonly #reports = new Map<string, string>()
  #failed = false

  constructor(options: HostOptions, on: HostEvents) {
    this.#options = options
    this.#on = on
    const { clock, identifiers, concurrency, address, sharesUser, facts, maxRssKb } = options
    this.#clock = clock
    this.#startedAt = clock.monotonicMs()
    const onChange = (): void => this.#changed()
    this.#extensions = new Extensions({ identifiers, concurrent: concurrency > 1, onChange })
    this.#sender = new BatchSender({ address, clock, sharesUser })
    this.#telemetry = new Telemetry({ clock, send: this.#sender.send })
    const publish = (event: TelemetryEvent): void => this.#telemetry.publish(event)
    this.#ledger = new InvocationLedger({ clock, facts, publish, maxRssKb })
    this.#lines = new LineSplitter((line) => this.#printed('function', line))
  }

  get routes(): readonly ApiRoute[] {
    const { facts, handler, account, identifiers } = this.#options
    const { functionName, functionVersion } = facts
    return extensionRoutes({
      extensions: this.#extensions,
      registration: { functionName, functionVersion, handler },
      account,
      identifiers,
      registered: () => this.#on.budget(this.#budgetMs()),
      failed: (extension, phase, errorType) => this.#reported(extension, phase, errorType),
      subscribes: () => this.#telemetry.open,
      subscribed: (extension, subscription) => this.#subscribed(extension, subscription),
    })
  }

  /** Whether an answer is not yet the end of its invocation: extensions may still work on it. */
  get holdsInvocations(): boolean {
    return this.#options.concurrency === 1 && this.#extensions.all.length > 0
  }

  /**
   * Starts the external extensions, which find the environment's APIs at `apiAddress`. Resolves with whether
   * all have registered: the runtime comes after them.
   */
  start(apiAddress: string): Promise<boolean> {
    const { directory, facts } = this.#options
    this.#publish(events.initStart(this.#clock.nowMs(), facts))
    const names = directory === undefined ? [] : extensionNames(directory)
    return new Promise((resolve) => {
      this.#registered = resolve
      for (const name of names) {
        if (!this.#launch(name, join(directory ?? '', name), apiAddress)) return
      }
      this.#changed()
    })
  }

  /** The runtime waits for work for the first time. */
  runtimeReady(): void {
    if (this.#phase !== 'runtime') return
    this.#phase = 'waiting'
    this.#extensions.closeRegistration()
    this.#publish(events.initRuntimeDone(this.#clock.nowMs(), this.#options.facts, 'success', undefined))
    this.#changed()
  }

  /** The runtime could not load the code. */
  runtimeFailed(errorType: string): void {
    this.#endInit(
      'error',
      KNOWN_ERROR.test(errorType) ? errorType : 'Runtime.Unknown',
      this.#phase === 'runtime',
    )
  }

  /** The runtime is about to be handed an invocation; `deadlineMs` 0 is none. */
  started(invocation: LedgerInvocation & { deadlineMs: number; invokedArn: string }): void {
    const { requestId, traceId, deadlineMs, invokedArn } = invocation
    if (!this.#listened) return
    this.#ledger.started(invocation)
    if (this.#options.concurrency > 1) return
    this.#current = { requestId, runtimeDone: false }
    this.#extensions.invoked({
      eventType: 'INVOKE',
      deadlineMs: deadlineMs === 0 ? this.#clock.nowMs() + FAR_MS : deadlineMs,
      requestId,
      invokedFunctionArn: invokedArn,
      ...(traceId === '' ? {} : { tracing: { type: 'X-Amzn-Trace-Id', value: traceId } }),
    })
  }

  /** The first byte of a response is there. */
  responding(requestId: string): void {
    this.#ledger.responding(requestId)
  }

  /** An invocation was answered. */
  answered(requestId: string, answer: LedgerAnswer): void {
    if (!this.#listened) return
    this.#lines.flush()
    this.#ledger.answered(requestId, answer)
    if (this.#options.concurrency === 1) return
    this.#ledger.runtimeDone(requestId)
    this.#ledger.settled(requestId)
  }

  /** The runtime waits for work again. */
  waiting(): void {
    if (this.#current === undefined || this.#current.runtimeDone) return
    this.#current.runtimeDone = true
    this.#ledger.runtimeDone(this.#current.requestId)
    this.#changed()
  }

  /** The runtime has printed something. */
  functionPrinted(bytes: Uint8Array): void {
    if (this.#telemetry.wanted) this.#lines.push(bytes)
  }

  /**
   * Ends everything, politely as far as time allows: the runtime first, then the extensions, which get what
   * telemetry there is before. Resolves when nobody is left.
   */
  async shutDown(reason: ShutdownReason, runtime: EndingRuntime, errorType?: string): Promise<void> {
    if (this.#phase === 'ending') return
    const early = this.#phase !== 'serving'
    this.#phase = 'ending'
    const budgetMs = this.#budgetMs()
    const endsAt = this.#clock.monotonicMs() + budgetMs
    const left = (): number => Math.max(0, endsAt - this.#clock.monotonicMs())
    this.#lines.flush()
    if (reason !== 'spindown') {
      const status = reason === 'timeout' ? 'timeout' : 'error'
      if (early) this.#endInit(status, errorType, true)
      this.#ledger.abandon(status, errorType)
    }
    runtime.signal(reason === 'spindown' ? 'SIGTERM' : 'SIGKILL')
    const share = this.#processes.size > 0 ? budgetMs * RUNTIME_SHARE : budgetMs
    const quiet = Promise.all([runtime.gone, this.#telemetry.drain()])
    await this.#within(share, quiet)
    runtime.signal('SIGKILL')
    await this.#endExtensions(reason, left)
    this.#telemetry.close()
    this.#sender.close()
  }

  async #endExtensions(reason: ShutdownReason, left: () => number): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + Math.floor(left())
    const told = this.#extensions.shutDown({ eventType: 'SHUTDOWN', shutdownReason: reason, deadlineMs })
    const polite = new Set(told.map((one) => one.name))
    const gone: Promise<void>[] = []
    for (const [name, one] of this.#processes) {
      if (polite.has(name)) gone.push(one.gone)
      else one.process.kill()
    }
    await this.#within(left(), Promise.all(gone))
    for (const { process } of this.#processes.values()) process.kill()
  }

  /** Resolves with `work`, or after `limitMs`. */
  async #within(limitMs: number, work: Promise<unknown>): Promise<void> {
    const given = new AbortController()
    await Promise.race([work, this.#clock.sleep(limitMs, given.signal).catch(() => {})])
    given.abort()
  }

  /** Whether anybody is to be told of invocations. */
  get #listened(): boolean {
    return this.#extensions.all.length > 0
  }

  #budgetMs(): number {
    if (this.#processes.size > 0) return EXTERNAL_BUDGET_MS
    return this.#extensions.all.length > 0 ? INTERNAL_BUDGET_MS : 0
  }

  #launch(name: string, path: string, apiAddress: string): boolean {
    const environment = { ...extensionVariables(this.#options.variables), AWS_LAMBDA_RUNTIME_API: apiAddress }
    this.#extensions.launched(name)
    let isGone = (): void => {}
    const gone = new Promise<void>((resolve) => (isGone = resolve))
    try {
      const process = new ExtensionProcess({
        path,
        environment,
        onLine: (line) => this.#printed('extension', line),
        onExit: (exit) => {
          isGone()
          this.#exited(name, exit)
        },
      })
      this.#processes.set(name, { process, gone })
      this.#on.budget(this.#budgetMs())
      return true
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const extension = this.#extensions.exited(name)
      if (extension !== undefined) {
        const errorType = message.endsWith('permission denied') ? 'PermissionDenied' : 'UnknownError'
        this.#tell(events.extension(this.#clock.nowMs(), extension, 'LaunchError', errorType))
      }
      this.#fail({ errorType: 'Extension.LaunchError', message })
      return false
    }
  }

  /** Follows every change of an extension's state, and of the runtime's. */
  #changed(): void {
    if (this.#phase === 'starting' && this.#registered !== undefined && this.#extensions.registered) {
      this.#phase = 'runtime'
      this.#registered(true)
    }
    if (this.#phase === 'waiting' && this.#extensions.ready) {
      const tookMs = this.#endInit('success', undefined, false)
      this.#phase = 'serving'
      this.#on.initialized(tookMs)
    }
    if (this.#phase !== 'serving' || this.#current?.runtimeDone !== true || !this.#extensions.ready) return
    const { requestId } = this.#current
    this.#current = undefined
    this.#on.settled(this.#ledger.settled(requestId))
  }

  /** Tells how init ended, once. Returns how long it took, ms. */
  #endInit(status: PhaseStatus, errorType: string | undefined, runtimeFailed: boolean): number {
    const tookMs = this.#clock.monotonicMs() - this.#startedAt
    if (!this.#telemetry.open) return tookMs
    const { facts } = this.#options
    const timeMs = this.#clock.nowMs()
    if (runtimeFailed) this.#publish(events.initRuntimeDone(timeMs, facts, status, errorType))
    if (status === 'success')
      for (const one of this.#extensions.all) this.#tell(events.extension(timeMs, one, 'Ready'))
    this.#ledger.initTook(tookMs)
    this.#publish(events.initReport(timeMs, facts, status, tookMs, errorType))
    this.#telemetry.closeSubscription()
    return tookMs
  }

  #subscribed(extension: Extension, subscription: Subscription): void {
    this.#telemetry.subscribe(extension.name, subscription)
    this.#tell(events.subscribed(this.#clock.nowMs(), extension.name, subscription))
  }

  /** An extension says that it cannot go on: what it ends with is told, if it ends soon. */
  #reported(extension: Extension, phase: 'init' | 'exit', errorType: string): void {
    const state = phase === 'init' ? 'InitError' : 'ExitError'
    this.#tell(events.extension(this.#clock.nowMs(), extension, state, errorType))
    const failure = { errorType: `Extension.${state}`, message: errorType }
    this.#reports.set(extension.name, failure.errorType)
    this.#clock.after(EXIT_FOLLOWS_MS, () => this.#fail(failure))
  }

  #exited(name: string, exit: ExtensionExit): void {
    if (this.#phase === 'ending') return
    const reported = this.#reports.get(name)
    const extension = this.#extensions.exited(name)
    const errorType = reported ?? 'Extension.Crash'
    if (extension !== undefined)
      this.#tell(events.extension(this.#clock.nowMs(), extension, 'Exited', errorType))
    this.#fail({ errorType, message: exitWords(exit) })
  }

  #fail(failure: ExtensionFailure): void {
    if (this.#failed || this.#phase === 'ending') return
    this.#failed = true
    this.#registered?.(false)
    this.#on.failed(failure)
  }

  #printed(category: 'function' | 'extension', line: string): void {
    const { structuredLogs } = this.#options
    this.#publish(events.printed(this.#clock.nowMs(), category, line, structuredLogs))
    if (category === 'extension') this.#on.print(line)
  }

  #publish(event: TelemetryEvent): void {
    if (this.#telemetry.wanted) this.#telemetry.publish(event)
  }

  /** To those who subscribed, and into the function's own log. */
  #tell(event: PlatformEvent): void {
    this.#publish(event)
    this.#on.tell(event)
  }
}

/** The end of a process in the platform's words. */
function exitWords({ code, signal }: ExtensionExit): string {
  if (signal !== null) return `signal: ${SIGNAL_WORDS[signal] ?? signal}`
  return code === 0 ? 'exit code 0' : `exit status ${code}`
}

const SIGNAL_WORDS: Readonly<Record<string, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted',
}
