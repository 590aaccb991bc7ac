import type { Clock } from '../clock.ts'
import { EngineError, isEngineError } from '../errors.ts'
import { Invocation } from '../environments/invocation.ts'
import type { Resolver, Target } from '../registry/types.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { Scope } from '../store/journal.ts'
import { throttle, type ConcurrencyGate } from './concurrency.ts'
import type { EventQueue } from './event-queue.ts'
import { checkTenant, refusalOf } from './admission.ts'
import { withLineage } from './lineage.ts'
import { traceIdOf } from './trace.ts'
import { InvocationRun, type RecordFirst, type RunContext, type RunRequest } from './invocation-run.ts'
import type { EventRequest, InvokeOutcome, InvokeRequest, Invoker, InvokeSink } from './types.ts'

/** How long an invocation waits for a function that is being created or updated (extended profile). */
const READY_WAIT_MS = 60_000
/** Invocations that may wait so at once. */
const MAX_READY_WAITERS = 1000

/** What the path of an invocation leads through. */
export interface InvokerParts {
  readonly clock: Clock
  readonly resolver: Resolver
  readonly gate: ConcurrencyGate
  readonly scheduler: Scheduler
  readonly context: RunContext
  readonly waitsForReady: boolean
  /** Why nothing of a runtime identifier can run here; undefined when it can. */
  readonly missingFor: (runtime: string) => EngineError | undefined
}

/**
 * The one path of every invocation: resolve, gate, scheduler. What listens to the environment is an
 * InvocationRun.
 */
export class InvocationPath implements Invoker {
  readonly #parts: InvokerParts
  /** Set after construction: the queue needs this path, and this path accepts for the queue. */
  events: EventQueue | undefined
  #readyWaiters = 0
  readonly #closing = new AbortController()

  constructor(parts: InvokerParts) {
    this.#parts = parts
  }

  invoke(request: InvokeRequest, sink: InvokeSink): void {
    this.start(request, sink)
  }

  run(request: Omit<InvokeRequest, 'streaming'>): Promise<InvokeOutcome> {
    return new Promise((result, refused) => this.start({ ...request, streaming: false }, { result, refused }))
  }

  async accept(request: EventRequest): Promise<void> {
    if (this.#closing.signal.aborted) throw stopping()
    if (this.events === undefined) throw new EngineError('unavailable', 'The engine is starting.')
    const resolve = (): Target => {
      const { scope, functionName, qualifier } = request
      const target = this.#parts.resolver.resolve(scope, functionName, qualifier)
      checkTenant(request, target)
      return target
    }
    try {
      await this.events.accept(request, resolve)
    } catch (error) {
      if (!this.#becomesReady(error)) throw error
      await this.#ready(request)
      await this.events.accept(request, resolve)
    }
  }

  check(scope: Scope, functionName: string, qualifier: string | undefined): void {
    try {
      this.#parts.resolver.resolve(scope, functionName, qualifier)
    } catch (error) {
      if (!this.#becomesReady(error)) throw error
    }
  }

  /** As `invoke`; an event says in addition where its record goes and which attempt this is. */
  start(request: RunRequest, sink: InvokeSink, event?: { attempt: number; recordFirst: RecordFirst }): void {
    if (this.#closing.signal.aborted) return sink.refused(stopping())
    let target: Target
    try {
      target = this.#parts.resolver.resolve(request.scope, request.functionName, request.qualifier)
    } catch (error) {
      if (this.#becomesReady(error)) return void this.#startWhenReady(request, sink, event)
      if (error instanceof EngineError) return sink.refused(error)
      throw error
    }
    const unfit = this.#parts.missingFor(target.version.runtime) ?? refusalOf(request, target)
    if (unfit !== undefined) return sink.refused(unfit)
    const refusal = this.#parts.gate.enter(request.scope, target)
    if (refusal !== undefined) return sink.refused(throttle(refusal))
    this.#submit(new InvocationRun({ context: this.#parts.context, request, sink, target, ...event }))
  }

  /**
   * The version they were resolved to was replaced before they started: they are resolved anew. Their place
   * in the concurrency of their function goes with them, lest somebody else takes it.
   */
  reroute(invocations: readonly Invocation[]): void {
    for (const invocation of invocations) {
      const run = invocation.input.observer
      if (!(run instanceof InvocationRun)) {
        run.refused(invocation, replaced())
        continue
      }
      const target = this.#runnable(run.request)
      if (target?.limits === run.target.limits) {
        const { context, gate } = this.#parts
        gate.move(run.target, target)
        this.#submit(
          new InvocationRun({ context, request: run.request, sink: run.sink, target, ...run.event }),
        )
        continue
      }
      this.#parts.gate.leave(run.request.scope, run.target)
      this.start(run.request, run.sink, run.event)
    }
  }

  /** Refuses everything from now on. */
  close(): void {
    this.#closing.abort(stopping())
  }

  /** What would run now; undefined when nothing can, or the engine stops. */
  #runnable({ scope, functionName, qualifier }: RunRequest): Target | undefined {
    if (this.#closing.signal.aborted) return undefined
    try {
      const target = this.#parts.resolver.resolve(scope, functionName, qualifier)
      return this.#parts.missingFor(target.version.runtime) === undefined ? target : undefined
    } catch (error) {
      if (error instanceof EngineError) return undefined // `start` finds out why
      throw error
    }
  }

  #submit(run: InvocationRun): void {
    const { request, target } = run
    const invocation = new Invocation(
      {
        requestId: request.requestId,
        version: target.version,
        limits: target.limits,
        invokedArn: target.invokedArn,
        traceId: withLineage(
          request.traceId === '' ? traceIdOf(request.requestId, this.#parts.clock.nowMs()) : request.traceId,
          target.limits,
        ),
        clientContext: request.clientContext,
        tenantId: request.tenantId,
        payload: request.payload,
        streaming: request.streaming,
        waitsForever: request.trigger === 'event',
        observer: run,
      },
      this.#parts.clock.monotonicMs(),
    )
    try {
      this.#parts.scheduler.submit(invocation)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      run.refused(invocation, error)
    }
  }

  async #startWhenReady(
    request: RunRequest,
    sink: InvokeSink,
    event: { attempt: number; recordFirst: RecordFirst } | undefined,
  ): Promise<void> {
    try {
      await this.#ready(request)
    } catch (error) {
      return sink.refused(
        error instanceof EngineError
          ? error
          : new EngineError('internal', 'Waiting for the function failed.', { cause: error }),
      )
    }
    this.start(request, sink, event)
  }

  /** Rejects 'throttled' when too many wait so already, 'conflict' after a while, 'unavailable' at a stop. */
  async #ready({ scope, functionName }: Pick<RunRequest, 'scope' | 'functionName'>): Promise<void> {
    if (this.#readyWaiters >= MAX_READY_WAITERS) {
      throw new EngineError('throttled', 'Too many invocations wait for functions that are being updated.', {
        detail: 'queue-full',
      })
    }
    this.#readyWaiters += 1
    const patience = new AbortController()
    const timer = this.#parts.clock.after(READY_WAIT_MS, () =>
      patience.abort(
        new EngineError('conflict', `Function "${functionName}" is still being prepared.`, {
          detail: 'pending',
        }),
      ),
    )
    try {
      const signal = AbortSignal.any([patience.signal, this.#closing.signal])
      await this.#parts.resolver.ready(scope, functionName, signal)
    } finally {
      timer.cancel()
      this.#readyWaiters -= 1
    }
  }

  #becomesReady(error: unknown): boolean {
    return (
      this.#parts.waitsForReady &&
      isEngineError(error, 'conflict') &&
      (error.detail === 'pending' || error.detail === 'updating')
    )
  }
}

/** Whoever asked finds out for itself what there is now. */
const replaced = (): EngineError =>
  new EngineError('conflict', 'The version was replaced before this began.', { detail: 'replaced' })

const stopping = (): EngineError =>
  new EngineError('unavailable', 'The engine is stopping.', { hint: 'Try again in a moment.' })
