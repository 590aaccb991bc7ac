import { FLAG } from '../environments/frames.ts'
import type { EngineError } from '../errors.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { Activation, ActivationEnd, ActivationOwner } from './activation.ts'
import { ActorCall, type CallOwner, type CallRequest } from './actor-call.ts'
import type { ActorCode, ActorParts } from './actor-parts.ts'
import { ActorRecord } from './actor-record.ts'
import { successor, type ActorStateName } from './actor-state.ts'
import { CallDesk } from './call-desk.ts'
import type { CommitGate } from './commit-gate.ts'
import { asEngineError, crashed, killed, mailboxFull, notStored, quarantined, stopping } from './failures.ts'
import { launch } from './launch.ts'
import { isBeside, outerOf } from './placing.ts'
import { Plan } from './plan.ts'
import { QUARANTINE_MS, quarantineAfter, Restarts, type Quarantine } from './restarts.ts'

/** stop() may take so long. */
const STOP_MS = 10_000
/** An actor that never sleeps tries again after the store has failed. */
const AFTER_STORE_FAILURE_MS = 1000

/**
 * One actor while it is in memory: its state, its mailbox, and the one activation that it has at most.
 * Nothing of it stays when it is asleep and nobody waits.
 */
export class Actor implements CallOwner, ActivationOwner {
  readonly address: ActorAddress
  readonly record: ActorRecord
  readonly #parts: ActorParts<Actor>
  readonly #desk: CallDesk
  readonly #restarts = new Restarts()
  #state: ActorStateName = 'asleep'
  #activation: Activation | undefined
  /** That of the last activation: the next one begins when all of it is on disk. */
  #gate: CommitGate | undefined
  readonly #plan: Plan
  #quarantine: Quarantine | undefined
  /** Its version was replaced: what runs finishes, then it goes on with the new one. */
  #retiring = false
  /** Deletions under way: what comes waits until they are done. */
  #destroying = 0
  #closing = false
  /** Monotonic ms since when nothing runs. */
  #quietSince = 0

  constructor(parts: ActorParts<Actor>, address: ActorAddress) {
    this.#parts = parts
    this.address = address
    this.#desk = new CallDesk(parts.clock, address, parts.records)
    this.#plan = new Plan(parts.clock)
    this.record = new ActorRecord(address, parts.clock, parts.store)
  }

  get state(): ActorStateName {
    return this.#state
  }
  get activation(): Activation | undefined {
    return this.#activation
  }
  get waiting(): number {
    return this.#desk.mailbox.size
  }
  get quarantine(): Quarantine | undefined {
    return this.#quarantine
  }

  /** Takes a call. How it ends is told to its sink, which may be at once. */
  call(request: CallRequest): ActorCall {
    const call = new ActorCall(this, request, this.#parts.clock.monotonicMs())
    if (this.#closing) call.fail(stopping())
    else if (this.#quarantine !== undefined) call.fail(quarantined(this.address, this.#quarantine.reason))
    else {
      this.#desk.limit(call, this)
      if (this.#desk.isRepeat(call, this.record)) return call
      const bound = this.#desk.fullAt(request, this.#activation?.beside ?? 0)
      if (bound === undefined || outerOf(this, request.parent) !== undefined) this.#place(call)
      else call.fail(mailboxFull(this.address, bound))
    }
    return call
  }

  /** The caller of `call` waits no longer: one that waits is dropped, one that runs is told and goes on. */
  giveUp(call: ActorCall, error: EngineError): void {
    if (this.#desk.drop(call)) return call.fail(error)
    if (call.state === 'sent') this.#activation?.abort(call)
    call.giveUp(error)
  }

  /** Its version was replaced: it goes on with the new one as soon as nothing runs. */
  retire(): void {
    if (this.#activation === undefined || this.#retiring) return
    this.#retiring = true
    this.#pump()
  }

  /** The scheduler gives its activation back, which had not begun: the version was replaced. */
  orphaned(): void {
    if (this.#state !== 'activating') return
    this.#endActivation()
    this.#sleep()
  }

  /** Ends its process, or its part of one. What runs fails, what waits goes on with a new activation. */
  kill(): void {
    this.#restarts.forget()
    this.#desk.cutOff(this.#endActivation(), killed(this.address, 'killed'))
    if (this.#state !== 'asleep') this.#sleep()
  }

  /**
   * Ends it and deletes all it has stored, in one commit. What runs and waits fails; what comes meanwhile
   * finds it new. Rejects as a commit does.
   */
  async destroy(): Promise<void> {
    const error = killed(this.address, 'destroyed')
    this.#destroying += 1
    this.#restarts.forget()
    for (const call of this.#endActivation()) call.fail(error)
    this.#desk.failAll(error)
    if (this.#state !== 'asleep') this.#move('asleep', 'destroyed')
    try {
      await new Promise<void>((resolve) => this.#whenStored(resolve))
      await this.record.destroy()
    } finally {
      this.#destroying -= 1
      if (this.#desk.mailbox.size > 0) this.#pump()
      else this.#forgetWhenDone()
    }
  }

  /** The engine stops: nothing new is taken, and it goes to sleep when nothing runs. */
  close(): void {
    this.#closing = true
    this.#desk.failAll(stopping())
    if (this.#state === 'awake') this.#pump()
    else if (this.#state !== 'stopping' && this.#state !== 'asleep') this.kill()
  }

  /** Looks whether it has been idle for long enough to sleep, or has nothing left to remember. */
  look(now: number): void {
    if (this.#state === 'asleep') return this.#forgetWhenDone()
    const idleMs = this.#desk.shape?.idleMs ?? null
    if (idleMs !== null && now - this.#quietSince >= idleMs && this.#isIdle) this.#stop()
  }

  rests(activation: Activation): boolean {
    const neverSleeps = (this.#desk.shape?.idleMs ?? null) === null
    if (activation !== this.#activation || neverSleeps || !this.#isIdle) return false
    this.#stop()
    return true
  }

  /** It is awake, and nothing of it runs or is on its way to disk. */
  get #isIdle(): boolean {
    return this.#state === 'awake' && this.#activation?.isQuiet === true && this.#gate?.isIdle === true
  }

  /** Wakes it though nobody calls. */
  wake(): void {
    if (this.#state === 'asleep' && !this.#closing && this.#destroying === 0) this.#activate()
  }

  /** Calls that wait or that its process has. */
  *calls(): Iterable<ActorCall> {
    yield* this.#desk.mailbox
    yield* this.#activation?.calls ?? []
  }

  // -- from calls and the activation

  callEnded(call: ActorCall, flags: number, body: Buffer, error: EngineError | undefined): void {
    this.#desk.ended(call, flags, body, error)
  }

  awoke(activation: Activation): void {
    if (activation !== this.#activation || this.#state !== 'activating') return
    this.#move('awake', '')
    this.#quietSince = this.#parts.clock.monotonicMs()
    const concurrent = this.#desk.shape?.concurrent
    if (concurrent !== undefined && concurrent.size > 0 && !this.#retiring)
      for (const call of this.#desk.mailbox.take((one) => isBeside(one, concurrent)))
        activation.send(call, 'beside')
    this.#pump()
  }

  replied(activation: Activation): void {
    if (activation !== this.#activation) return
    this.#restarts.worked()
    if (activation.isQuiet) this.#quietSince = this.#parts.clock.monotonicMs()
    this.#pump()
  }

  alarmsChanged(names: readonly string[]): void {
    this.#desk.alarmsChanged(names)
  }

  ended(activation: Activation, end: ActivationEnd, unanswered: readonly ActorCall[]): void {
    if (activation !== this.#activation) return
    this.#endActivation()
    switch (end.kind) {
      case 'slept':
        this.#desk.requeue(unanswered) // it ends when nothing runs: these have not begun
        return this.#sleep()
      case 'failed':
        return this.#failed(end.error, unanswered)
      case 'not-loaded':
        return this.#failed(this.#parts.encodeLoadError(end.error), unanswered)
      case 'refused':
        return this.#refused(end.error, unanswered)
      case 'crashed':
        return this.#crashed(end.how, unanswered)
    }
  }

  socket(id: string, verb: string, payload: Buffer): void {
    this.#parts.onSocket(this, id, verb, payload)
  }

  // -- calls

  /** Sends a call at once where it may run beside or inside others; otherwise it waits for its turn. */
  #place(call: ActorCall): void {
    call.isRun = true
    const activation = this.#activation
    if (activation !== undefined && this.#state === 'awake') {
      const outer = outerOf(this, call.request.parent)
      if (outer !== undefined) return activation.send(call, 'inner', outer.id)
      if (!this.#retiring && isBeside(call, this.#desk.shape?.concurrent))
        return activation.send(call, 'beside')
    }
    this.#desk.mailbox.push(call)
    this.#pump()
  }

  #pump(): void {
    const { mailbox } = this.#desk
    if (this.#state === 'asleep' && mailbox.size > 0 && this.#destroying === 0) return this.#activate()
    const activation = this.#activation
    if (this.#state !== 'awake' || activation === undefined) return
    if (this.#retiring || this.#closing) {
      if (activation.isQuiet) this.#stop()
      return
    }
    while (mailbox.size > 0 && activation.hasRoom) {
      const call = mailbox.shift()
      if (call !== undefined) activation.send(call, 'turn')
    }
  }

  // -- life

  #move(next: ActorStateName, reason: string): void {
    this.#state = successor(this.#state, next)
    this.#parts.changed(this, next, reason)
  }

  #activate(): void {
    this.#move('activating', '')
    this.#retiring = false
    const begin = this.#plan.make(() => this.#prepare())
    this.#whenStored(begin)
  }

  #prepare(): void {
    const refused = this.#plan.also((error: unknown) => this.#refused(error, []))
    const launch = this.#plan.also((code: ActorCode) => this.#launch(code))
    try {
      const code = this.#parts.codeOf(this.address)
      if (code instanceof Promise) code.then(launch).catch(refused)
      else launch(code)
    } catch (error) {
      refused(error)
    }
  }

  #launch(code: ActorCode): void {
    if (!code.isCurrent()) return this.#prepare()
    this.#desk.shape = code.shape
    const launched = launch(this.#parts, {
      ...{ address: this.address, id: this.record.id, code, owner: this },
      sockets: this.#parts.socketsOf(this),
      onStoreFailure: (activation, error) => this.#notStored(activation, error),
    })
    this.record.id = launched.id
    this.#activation = launched.activation
    this.#gate = launched.activation.gate
    for (const call of this.#desk.mailbox) this.#desk.limit(call, this)
    this.#parts.submit(launched.invocation)
  }

  #stop(): void {
    const activation = this.#activation
    if (activation === undefined) return
    this.#move('stopping', '')
    activation.stop()
    this.#plan.after(STOP_MS, () => {
      this.record.note(`stop() took longer than ${STOP_MS} ms`)
      this.#endActivation()
      this.#sleep()
    })
  }

  /** Whatever was planned is void; returns what its process had not answered. */
  #endActivation(): ActorCall[] {
    this.#plan.drop()
    this.#quarantine = undefined
    const activation = this.#activation
    this.#activation = undefined
    return activation?.end() ?? []
  }

  /** It is in no process. It wakes again at once when somebody waits. */
  #sleep(): void {
    this.#retiring = false
    this.#move('asleep', '')
    if (this.#closing) this.#desk.failAll(stopping())
    if (this.#desk.mailbox.size > 0) this.#pump()
    else this.#forgetWhenDone()
  }

  #forgetWhenDone(): void {
    if (this.#restarts.isRecent(this.#parts.clock.monotonicMs())) return
    const forget = (): void => {
      if (this.#state === 'asleep' && this.#desk.mailbox.size === 0 && this.#destroying === 0)
        this.#parts.forget(this)
    }
    this.#whenStored(forget)
  }

  /** Behind everything that the last activation handed in. */
  #whenStored(then: () => void): void {
    if (this.#gate === undefined) then()
    else this.#gate.whenIdle(then)
  }

  /** It cannot be woken, now or ever: whoever waits is told. */
  #refused(thrown: unknown, unanswered: readonly ActorCall[]): void {
    const error = asEngineError(thrown)
    for (const call of [...unanswered, ...this.#endActivation()]) call.fail(error)
    this.#desk.failAll(error)
    this.record.note(error.message)
    this.#sleep()
  }

  /** Its code threw outside of any call. In start() that is the answer of whoever waits. */
  #failed(error: Buffer, unanswered: readonly ActorCall[]): void {
    if (this.#state === 'stopping') {
      this.record.note('stop() threw')
      return this.#sleep()
    }
    if (this.#state !== 'activating') return this.#crashed('its code threw outside of a call', unanswered)
    for (const call of unanswered) call.answer(FLAG.error, error)
    this.#desk.answerAll(FLAG.error, error)
    this.record.note('start() threw')
    this.#afterCrash('start() threw')
  }

  #crashed(how: string, unanswered: readonly ActorCall[]): void {
    this.record.note(how)
    const guilty = unanswered.length > 0 || this.#state === 'activating'
    this.#desk.cutOff(unanswered, this.#closing ? stopping() : crashed(this.address, how))
    if (this.#closing || this.#state === 'stopping') return this.#sleep()
    if (guilty) this.#afterCrash(how)
    else this.#restart(0, how)
  }

  #afterCrash(how: string): void {
    const { clock } = this.#parts
    const next = this.#restarts.crashed(clock.monotonicMs(), this.#desk.shape?.maxRestarts ?? -1)
    if (next.kind === 'restart') return this.#restart(next.delayMs, how)
    const { reason } = (this.#quarantine = quarantineAfter(next.crashes, how, clock.nowMs()))
    this.#move('quarantined', reason)
    this.#desk.failAll(quarantined(this.address, reason))
    this.#plan.after(QUARANTINE_MS, () => {
      this.#quarantine = undefined
      this.#restarts.forget()
      this.#sleep()
      if (this.#desk.shape?.idleMs === null) this.wake()
    })
  }

  /** What waits, and what never sleeps, goes on after a while. */
  #restart(delayMs: number, how: string): void {
    if (this.#desk.mailbox.size === 0 && this.#desk.shape?.idleMs !== null) return this.#sleep()
    this.#move('restarting', how)
    if (delayMs === 0) this.#activate()
    else this.#plan.after(delayMs, () => this.#activate())
  }

  /** The activation knows what the disk does not: it must not go on. Nor could another one. */
  #notStored(activation: Activation, cause: EngineError): void {
    if (activation !== this.#activation) return
    this.record.note(cause.message)
    const error = notStored(this.address, cause)
    for (const call of this.#endActivation()) call.fail(error)
    this.#desk.failAll(error)
    this.#restart(AFTER_STORE_FAILURE_MS, 'its writes were not stored')
  }
}
