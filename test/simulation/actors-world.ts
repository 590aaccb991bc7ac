import type { ActorCall } from '../../runtime/actors/actor-call.ts'
import type { ActorCode } from '../../runtime/actors/actor-parts.ts'
import type { Actor } from '../../runtime/actors/actor.ts'
import { ActorDirectory } from '../../runtime/actors/directory.ts'
import type { Invocation } from '../../runtime/environments/invocation.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import { ACTOR_ERROR } from '../../runtime/environments/actor-messages.ts'
import { EngineError } from '../../runtime/errors.ts'
import { createLog } from '../../runtime/log.ts'
import { dueAlarms } from '../../runtime/store/actor-reading.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { version } from '../support/scheduler-world.ts'
import { ActorBook, type OpenCall } from './actor-book.ts'
import { spoilSets } from './actor-bugs.ts'
import { ACTS, address, CALM, codeOf, KEYS, MAILBOX, METHODS, PATIENCE_MS } from './actor-parts.ts'
import { ActorProcess } from './actor-process.ts'
import { checkActor } from './actor-rules.ts'
import type { Chance, Trace } from './chance.ts'
import { mortalClock, simulatedClock } from './clock.ts'
import { Violation, type SimulatedWorld } from './simulate.ts'
import { SlowStore } from './slow-store.ts'

/** One life of the engine's part that has actors. */
interface Life {
  readonly directory: ActorDirectory
  readonly end: () => void
}

/**
 * The engine's own actors over a real store that writes late or not at all, and processes that start, answer,
 * say things twice or too late, and die in any order; the engine itself dies, too, and begins anew.
 */
export class ActorsWorld implements SimulatedWorld {
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #planted: string | undefined
  readonly #clock = simulatedClock()
  #inner: OpenStore | undefined
  #parts: { store: SlowStore; book: ActorBook; life: Life } | undefined
  /** Activations that are not over. */
  readonly #processes = new Set<ActorProcess>()
  readonly #over: ActorProcess[] = []
  readonly #calls = new Map<number, ActorCall>()
  readonly #destroying = new Map<string, number>()
  /** Actors whose options the engine has seen. */
  readonly #known = new WeakSet<Actor>()
  #lookUps: (() => void)[] = []
  #code = version('shop')
  #codes = 0
  #numbers = 0
  #calm = false

  constructor(chance: Chance, trace: Trace, planted?: string) {
    this.#chance = chance
    this.#trace = trace
    this.#planted = planted
  }

  async step(): Promise<void> {
    if (this.#parts === undefined) await this.#begin()
    await this[this.#chance.weighted(this.#calm ? CALM : ACTS)]()
    await turn()
  }

  check(): void {
    if (this.#book.violation !== undefined) throw this.#book.violation
    const { store } = this.#begun
    const mayBegin = this.#lookUps.length > 0 || store.size > 0
    for (const key of KEYS)
      checkActor({
        ...{ key, mayBegin, actor: this.#directory.find(address(key)), processes: this.#processes },
        isDestroyed: (this.#destroying.get(key) ?? 0) > 0,
      })
  }

  async settle(): Promise<number> {
    this.#calm = true
    const until = this.#clock.monotonicMs() + PATIENCE_MS
    let steps = 0
    for (; this.#whatGoesOn() !== undefined; steps++) {
      if (this.#clock.monotonicMs() > until) throw new Violation(`no end of ${this.#whatGoesOn()}`)
      await this.step()
      this.check()
    }
    this.#book.checkAtEnd()
    steps += await this.#close()
    return steps
  }

  get #book(): ActorBook {
    return this.#begun.book
  }
  get #directory(): ActorDirectory {
    return this.#begun.life.directory
  }
  get #begun() {
    if (this.#parts === undefined) throw new Error('The world has not begun.')
    return this.#parts
  }

  // -- what happens

  call(): void {
    if (this.#calm) return
    const key = this.#chance.pick(KEYS) ?? 'a'
    const number = (this.#numbers += 1)
    const isKeyed = this.#chance.happens(0.25)
    const name = isKeyed ? 'add' : this.#chance.weighted(METHODS)
    const operation = isKeyed ? `k${this.#chance.whole(Math.max(0, number - 30), number) >> 4}` : `c${number}`
    const open: OpenCall = { number, key, operation, name, isKeyed, begun: false }
    this.#book.open.set(number, open)
    this.#note(`call ${key} ${number} ${name} ${operation}`)
    const actor = this.#directory.find(address(key))
    const waiting = Math.max(actor?.waiting ?? 0, actor?.activation?.beside ?? 0)
    const isBounded = actor !== undefined && this.#known.has(actor)
    const call = this.#directory.call(address(key), {
      ...{ kind: 'method', name, args: Buffer.from(operation), flags: 0 },
      idempotencyKey: isKeyed ? operation : undefined,
      // what a flush has written counts again when it is made again
      retries: name !== 'flush' && this.#chance.happens(0.2) ? 1 : undefined,
      timeoutMs: this.#chance.happens(0.1) ? this.#chance.whole(20, 2000) : undefined,
      sink: {
        answered: (flags, body) => this.#answered(open, flags, body),
        failed: (error) => this.#failed(open, error, waiting),
      },
    })
    if (call.state === 'ended') return
    this.#calls.set(number, call)
    if (isBounded && call.state === 'waiting' && !isKeyed && waiting >= MAILBOX)
      throw new Violation(`call ${number} waits for ${key} behind ${waiting}`)
  }

  progress(): void {
    const process = this.#chance.pick([...this.#processes])
    if (process === undefined) return
    if (process.expired) return this.#gone(process, 'ended')
    if (!process.isHosted) {
      if (!this.#calm && this.#chance.happens(0.06)) return this.#refuse(process)
      process.host()
      return this.#note(`host ${this.#nameOf(process)}`)
    }
    const text = process.goOn(this.#chance, this.#calm)
    this.#note(`${this.#nameOf(process)} ${text}`)
    if (process.gone) this.#forget(process)
  }

  async disk(): Promise<void> {
    const { store } = this.#begun
    const fails = !this.#calm && this.#chance.happens(0.02)
    if (store.size === 0) return
    this.#note(`disk ${store.size} ${fails}`)
    await store.write(this.#chance.whole(0, 4), fails)
  }

  pass(): void {
    const byMs = this.#chance.weighted([
      [80, this.#chance.whole(1, 20)],
      [15, this.#chance.whole(20, 400)],
      [this.#calm ? 20 : 5, this.#chance.whole(400, this.#calm ? 60_000 : 4000)],
    ])
    this.#note(`pass ${byMs}`)
    this.#clock.advance(byMs)
  }

  crash(): void {
    const process = this.#chance.pick([...this.#processes])
    if (process?.isHosted === true) this.#gone(process, 'crash')
  }

  echo(): void {
    const process = this.#chance.pick([...this.#processes, ...this.#over.slice(-5)])
    if (process === undefined || (!process.isHosted && !process.gone)) return
    this.#note(`echo ${this.#nameOf(process)}`)
    process.echo(this.#chance)
  }

  async late(): Promise<void> {
    const isTaken = this.#planted === 'what an earlier activation writes is taken'
    await this.#begun.store.late((changes) => this.#book.isStale(changes), isTaken)
  }

  kill(): void {
    const key = this.#chance.pick(KEYS) ?? 'a'
    this.#note(`kill ${key}`)
    this.#directory.kill(address(key))
  }

  destroy(): void {
    const key = this.#chance.pick(KEYS) ?? 'a'
    const { life } = this.#begun
    this.#note(`destroy ${key}`)
    this.#destroying.set(key, (this.#destroying.get(key) ?? 0) + 1)
    const over = (how: string): void => {
      if (this.#begun.life !== life) return
      this.#note(`destroyed ${key} ${how}`)
      this.#destroying.set(key, (this.#destroying.get(key) ?? 0) - 1)
    }
    life.directory.destroy(address(key)).then(
      () => over('well'),
      () => over('not'),
    )
  }

  deploy(): void {
    const { key } = this.#code
    this.#code = { ...version('shop'), key: `shop ${(this.#codes += 1)}` }
    this.#note('deploy')
    this.#directory.retire(key)
    const orphans = [...this.#processes].filter(
      ({ isHosted, invocation }) => !isHosted && invocation.version.key === key,
    )
    for (const one of orphans) this.#forget(one)
    this.#directory.reroute(orphans.map(({ invocation }) => invocation))
  }

  giveUp(): void {
    const open = this.#chance.pick([...this.#book.open.values()])
    const call = open === undefined ? undefined : this.#calls.get(open.number)
    if (open === undefined || call === undefined) return
    this.#note(`give up ${open.number}`)
    this.#directory.cancel(call)
  }

  /** The engine ends, with all processes, and the next one takes up what is on disk. */
  async restart(): Promise<void> {
    const { store, book, life } = this.#begun
    const kept = this.#chance.whole(0, 3)
    this.#note(`restart ${kept}`)
    life.end()
    book.lost()
    this.#calls.clear()
    this.#destroying.clear()
    this.#lookUps = []
    for (const process of this.#processes) this.#forget(process)
    await store.crash(kept, (changes) => changes[0]?.[0] === 'fenceActor' || changes.length > 1)
    this.#parts = { store, book, life: this.#live(store) }
  }

  /** Where code is that was looked up, is known. */
  lookUp(): void {
    for (const known of this.#lookUps.splice(0)) known()
  }

  // -- in detail

  async #begin(): Promise<void> {
    const clock = this.#clock
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    const inner = (this.#inner = await openStore({ dataDirectory: IN_MEMORY, clock, log }))
    const book = new ActorBook(inner.reader)
    const kept = book.kept.bind(book)
    const store = new SlowStore(inner, kept, spoilSets(this.#planted, this.#chance))
    this.#parts = { store, book, life: this.#live(store) }
  }

  #live(store: SlowStore): Life {
    const { clock, end } = mortalClock(this.#clock)
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    const directory = new ActorDirectory({
      ...{ clock, log },
      store: store.open(this.#planted === 'a reply leaves before its writes are on disk'),
      codeOf: () => this.#codeOf(),
      submit: (invocation) => this.#submit(invocation),
      withdraw: (invocation) => {
        for (const one of this.#processes) if (one.invocation === invocation) this.#forget(one)
      },
      encodeLoadError: (json) => json,
      changed: ({ key }, state) => this.#note(`${key} ${state}`),
    })
    directory.open()
    return { directory, end }
  }

  #codeOf(): ActorCode | Promise<ActorCode> {
    if (this.#calm || !this.#chance.happens(0.05)) return this.#newest()
    return new Promise((resolve, reject) =>
      this.#lookUps.push(() => {
        if (this.#chance.happens(0.2)) reject(new EngineError('not-found', 'There is no such function.'))
        else resolve(this.#newest())
      }),
    )
  }

  #newest(): ActorCode {
    const code = this.#code
    return codeOf(code, () => code === this.#code)
  }

  #submit(invocation: Invocation): void {
    if (!this.#calm && this.#chance.happens(0.02)) throw new EngineError('throttled', 'Too many wait.')
    const key = invocation.input.requestId
    const isDeaf = this.#planted === 'a call is lost on its way to the process'
    const make = (): ActorProcess =>
      new ActorProcess({
        invocation,
        alarmDueAtMs: () => this.#clock.nowMs() + this.#chance.whole(0, 8000),
        began: (call) => this.#book.began(key, call),
        isDeaf: isDeaf ? () => this.#chance.happens(0.02) : undefined,
        heardBy:
          this.#planted === 'what a process says that is over counts'
            ? (said) => this.#directory.find(address(key))?.activation?.invocation ?? said
            : undefined,
      })
    const actor = this.#directory.find(address(key))
    if (actor !== undefined) this.#known.add(actor)
    const process = make()
    if (!process.start.complete) throw new Violation(`${key} starts with a part of what it stored`)
    this.#book.checkRows(key, process.start.rows)
    this.#note(`submit ${key} ${process.start.rows.length}`)
    this.#processes.add(process)
    if (this.#planted === 'an actor is activated twice' && this.#chance.happens(0.1)) {
      const twin = make()
      twin.host()
      this.#processes.add(twin)
    }
  }

  #refuse(process: ActorProcess): void {
    this.#note(`refuse ${this.#nameOf(process)}`)
    this.#forget(process)
    if (this.#chance.happens(0.5)) process.notLoaded()
    else process.refuse(new EngineError('infeasible', 'No node has that.'))
  }

  #gone(process: ActorProcess, how: string): void {
    this.#note(`gone ${this.#nameOf(process)} ${how}`)
    this.#forget(process)
    if (this.#planted === 'the end of a process is not told' && this.#chance.happens(0.2)) return
    process.crash()
  }

  #forget(process: ActorProcess): void {
    this.#processes.delete(process)
    this.#over.push(process)
    if (this.#over.length > 10) this.#over.shift()
    this.#book.cutOff(this.#nameOf(process), process.begun)
  }

  #answered(open: OpenCall, flags: number, body: Buffer): void {
    const text = body.toString()
    this.#note(`answered ${open.number} ${text}`)
    this.#calls.delete(open.number)
    if ((flags & FLAG.error) === 0) this.#book.answered(open, text)
    else if (text === 'thrown') this.#book.answered(open, undefined)
    else this.#book.failed(open) // by its start, not by the call
  }

  #failed(open: OpenCall, error: EngineError, waitedFor: number): void {
    this.#note(`failed ${open.number} ${error.code} ${error.detail}`)
    this.#calls.delete(open.number)
    this.#book.failed(open)
    if (error.detail === ACTOR_ERROR.mailboxFull && open.name !== 'peek' && waitedFor < MAILBOX)
      throw new Violation(`call ${open.number} is refused, and ${waitedFor} wait`)
  }

  #whatGoesOn(): string | undefined {
    const { book, store } = this.#begun
    const [open] = book.open.values()
    if (open !== undefined) {
      const state = this.#directory.find(address(open.key))?.state
      return `call ${open.number} (${open.name}) of ${open.key}, which is ${state}`
    }
    if (store.size > 0) return `${store.size} sets for the disk`
    const [alarm] = dueAlarms(this.#reader, Infinity, 1)
    if (alarm !== undefined) return `the alarm ${alarm.name}`
    if (this.#processes.size > 0) return 'actors that sleep when they are idle'
    if ([...this.#destroying.values()].some((count) => count > 0)) return 'a destruction'
    return this.#directory.size > 0 ? 'actors in memory' : undefined
  }

  get #reader(): OpenStore['reader'] {
    if (this.#inner === undefined) throw new Error('The world has not begun.')
    return this.#inner.reader
  }

  async #close(): Promise<number> {
    const { life } = this.#begun
    let closed = false
    void life.directory.close(2000).then(() => (closed = true))
    let steps = 0
    for (; !closed; steps++) {
      if (steps > 10_000) throw new Violation('the directory never closes')
      await this.step()
    }
    life.end()
    await this.#inner?.close()
    return steps
  }

  #nameOf(process: ActorProcess): string {
    return process.invocation.input.requestId
  }

  #note(text: string): void {
    this.#trace.note(text)
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
