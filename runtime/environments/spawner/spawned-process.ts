import { spawn, type ChildProcess, type IOType } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { systemClock } from '../../clock.ts'
import { ControlGroup } from './control-group.ts'
import { childrenOf, isAlive, readStat } from './proc.ts'
import { applyLimits } from './process-limits.ts'
import type {
  CgroupPlace,
  LimitRequest,
  MemoryCause,
  SpawnerEvent,
  StartRequest,
  TreeShape,
} from './protocol.ts'
import { signalProcess, sweep } from './sweep.ts'

/** Of several who are out of memory, an environment goes first and the engine last. */
const OOM_SCORE = '800'
/** How often a tree that should be gone is looked at. */
const GONE_PAUSE_MS = 2
/**
 * The sandbox around a program takes a few milliseconds to make: how often and how many times it is looked
 * for.
 */
const JOIN_PAUSE_MS = 4
const JOIN_LOOKS = 100
/**
 * A tree that is not gone by then is told as gone with a note: a process stuck in the kernel must not stick
 * us.
 */
const GONE_LIMIT_MS = 5000
/** An abort with this much of its limit in use is taken for the heap's end. */
const HEAP_SHARE = 0.6
/**
 * bubblewrap answers 128 + the number of the signal that ended its program; these are the ones a program
 * dies of.
 */
const FATAL_SIGNALS: Readonly<Record<number, NodeJS.Signals>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
}
/** How the JavaScript engine ends a process that has no memory left for it. */
const ABORTS: ReadonlySet<string | null> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL'])

/** What one process is started with. */
export interface SpawnedProcessOptions {
  request: StartRequest
  logSocket: string
  cgroup: CgroupPlace | null
  emit: (event: SpawnerEvent) => void
}

interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
}

type State =
  | { kind: 'dialing' }
  | { kind: 'running'; child: ChildProcess; pid: number; startTicks: number }
  | { kind: 'gone' }

/** One process that the spawner started, with everything below it. */
export class SpawnedProcess {
  readonly id: string
  readonly #options: SpawnedProcessOptions
  #state: State = { kind: 'dialing' }
  #killed = false
  #memoryCause: MemoryCause = ''
  /** Init of the process's own namespace once it is known. */
  #init: { pid: number; startTicks: number } | undefined
  /** Settles with undefined where groups do not work. */
  #group: Promise<ControlGroup | undefined> = Promise.resolve(undefined)
  /** The same, once limits hold in it. */
  #controlGroup: ControlGroup | undefined
  #limits: LimitRequest | undefined
  /** Most memory the program was seen with; the watchdog writes it. */
  peakBytes = 0

  constructor(options: SpawnedProcessOptions) {
    this.#options = options
    this.id = options.request.id
  }

  /** Dials the log, starts the process with the connection as its stdout and stderr, and lets go of it. */
  async start(): Promise<void> {
    let log: Socket
    try {
      log = await dialLog(this.#options.logSocket, `log ${this.id} ${this.#options.request.token}\n`)
    } catch (error) {
      return this.#fail(`The log socket cannot be reached: ${(error as Error).message}`) // net emits Errors only
    }
    try {
      if (this.#killed) return this.#fail('It was killed before it started.')
      await this.#spawn(log)
    } catch (error) {
      this.#fail((error as Error).message) // child_process and fs throw Errors only
    } finally {
      log.destroy()
    }
  }

  async #spawn(log: Socket): Promise<void> {
    const { request, cgroup } = this.#options
    const seccomp = request.seccompPath === null ? undefined : openSync(request.seccompPath, 'r')
    let child: ChildProcess
    try {
      child = spawn(request.command, request.args, {
        cwd: request.workingDirectory,
        env: request.environment,
        detached: true,
        stdio: [...standardStreams(request.shape, log), seccomp ?? 'ignore'],
      })
    } finally {
      if (seccomp !== undefined) closeSync(seccomp)
    }
    const pid = child.pid
    if (pid === undefined) {
      const error = await new Promise<Error>((resolve) => child.once('error', resolve))
      return this.#fail(error.message)
    }
    child.on('error', (error) => this.#note(`signal to ${pid} failed: ${error.message}`))
    child.once('exit', (code, signal) => void this.#ended(code, signal))
    const startTicks = readStat(pid)?.startTicks ?? 0
    this.#state = { kind: 'running', child, pid, startTicks }
    if (request.shape === 'bubblewrap') this.#readInit(child)
    adjustOomScore(pid)
    if (cgroup !== null) {
      this.#group = this.#joinGroup(cgroup).catch((error: Error) => {
        this.#note(`control group of ${this.id} failed: ${error.message}`)
        return undefined
      })
    }
    this.#options.emit({ kind: 'started', id: this.id, pid, startTicks })
  }

  /**
   * Joining takes the kernel milliseconds: it is done while the program boots. What the program starts
   * joins with it.
   */
  async #joinGroup(place: CgroupPlace): Promise<ControlGroup> {
    const group = await ControlGroup.make(place, this.id)
    for (let look = 0; look < JOIN_LOOKS && this.#programPid() === undefined; look++) {
      await systemClock.sleep(JOIN_PAUSE_MS)
    }
    await group.adoptMissing(this.members())
    return group
  }

  /** Makes the limits hold for everything that is in the tree now and later. */
  async limit(request: LimitRequest): Promise<void> {
    const { emit, request: start } = this.#options
    const answer = (problem: string | null): void =>
      emit({ kind: 'limited', id: this.id, sequence: request.sequence, problem })
    if (this.#state.kind !== 'running') return answer('The process is gone.')
    try {
      const group = await this.#group
      if (group !== undefined) {
        // The group was joined while the tree was growing: whoever slipped past is brought in now.
        await group.adoptMissing(this.members())
        await group.limit(request.memoryMb, request.maxProcesses)
        this.#controlGroup = group
      }
      const program = this.#programPid()
      if (program !== undefined) {
        await applyLimits(program, start.uid, {
          dataMb: group === undefined ? request.memoryMb : null,
          maxProcesses: group?.boundsProcesses !== true && start.uid !== null ? request.maxProcesses : null,
          maxOpenFiles: request.maxOpenFiles,
        })
      }
      this.#limits = request
      this.grouped = group === undefined ? 'none' : group.boundsProcesses ? 'memory and processes' : 'memory'
      answer(null)
    } catch (error) {
      answer((error as Error).message) // fs and child_process reject with Errors only
    }
  }

  /** What the kernel bounds by itself; the rest is the watchdog's. */
  grouped: 'none' | 'memory' | 'memory and processes' = 'none'

  get limits(): LimitRequest | undefined {
    return this.#limits
  }

  get pid(): number | undefined {
    return this.#state.kind === 'running' ? this.#state.pid : undefined
  }

  /** The started process, the namespace's init and the program, as far as they exist yet. */
  members(): number[] {
    if (this.#state.kind !== 'running') return []
    const init = this.#findInit()
    const program = this.#programPid()
    return [...new Set([this.#state.pid, init, program].filter((pid) => pid !== undefined))]
  }

  /** Ends the whole tree. */
  kill(cause: MemoryCause = ''): void {
    this.#killed = true
    if (this.#memoryCause === '') this.#memoryCause = cause
    if (this.#state.kind !== 'running') return
    const { pid, startTicks } = this.#state
    if (!isAlive(pid, startTicks)) return
    const init = this.#findInit()
    // The namespace dies with its init, and the process outside ends with it and so tells that all of it is
    // gone.
    if (init !== undefined) signalProcess(init, 'SIGKILL')
    else signalProcess(pid, 'SIGKILL')
    // Whoever left the group is found when the program is gone.
    if (this.#options.request.shape === 'group') signalProcess(-pid, 'SIGKILL')
  }

  /** Ends the tree when its group has no memory left. */
  endIfOutOfMemory(): void {
    if (this.#controlGroup?.isOutOfMemory() === true) this.kill('cgroup')
  }

  /** Asks the program itself to end. */
  terminate(): void {
    const program = this.#programPid()
    if (program !== undefined) signalProcess(program, 'SIGTERM')
  }

  #readInit(child: ChildProcess): void {
    const pipe = child.stdio[3]
    if (!(pipe && 'on' in pipe)) return
    let text = ''
    pipe.on('error', (error: Error) => this.#note(`bubblewrap said nothing: ${error.message}`))
    pipe.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const match = /"child-pid":\s*(\d+)/.exec(text)
      if (match === null || this.#init !== undefined) return
      const pid = Number(match[1])
      const startTicks = readStat(pid)?.startTicks
      if (startTicks !== undefined) this.#init = { pid, startTicks }
      if (this.#killed) this.kill()
    })
  }

  #findInit(): number | undefined {
    if (this.#init === undefined && this.#state.kind === 'running') {
      if (this.#options.request.shape === 'group') return undefined
      const [pid] = childrenOf(this.#state.pid)
      const startTicks = pid === undefined ? undefined : readStat(pid)?.startTicks
      if (pid !== undefined && startTicks !== undefined) this.#init = { pid, startTicks }
    }
    return this.#init !== undefined && isAlive(this.#init.pid, this.#init.startTicks)
      ? this.#init.pid
      : undefined
  }

  #programPid(): number | undefined {
    if (this.#state.kind !== 'running') return undefined
    const { shape } = this.#options.request
    if (shape === 'group') return this.#state.pid
    const init = this.#findInit()
    return init === undefined ? undefined : childrenOf(init)[0]
  }

  /**
   * Without a namespace the group is what can be had, and after it whoever carries the environment's name.
   */
  #sweepGroup(pid: number): void {
    signalProcess(-pid, 'SIGKILL')
    sweep((variables) => variables.has(`LAMBENT_ENVIRONMENT_ID=${this.id}`))
  }

  async #ended(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (this.#state.kind !== 'running') return
    const { pid } = this.#state
    if (this.#options.request.shape === 'group') this.#sweepGroup(pid)
    else await this.#namespaceGone()
    const memory = await this.#memoryOutcome(code, signal)
    this.#state = { kind: 'gone' }
    const limitMb = this.#limits?.memoryMb ?? null
    const peakBytes = memory === '' || limitMb === null ? this.peakBytes : limitMb * 1024 * 1024
    this.#options.emit({ kind: 'exited', id: this.id, ...this.#translate(code, signal), memory, peakBytes })
    const group = await this.#group
    await group?.remove()
  }

  async #namespaceGone(): Promise<void> {
    const init = this.#init
    if (init === undefined) return
    const deadlineMs = systemClock.monotonicMs() + GONE_LIMIT_MS
    while (isAlive(init.pid, init.startTicks)) {
      signalProcess(init.pid, 'SIGKILL')
      if (systemClock.monotonicMs() > deadlineMs) {
        return this.#note(`process ${init.pid} of ${this.id} does not end`)
      }
      await systemClock.sleep(GONE_PAUSE_MS)
    }
  }

  async #memoryOutcome(code: number | null, signal: NodeJS.Signals | null): Promise<MemoryCause> {
    const group = await this.#group
    const outcome = await group?.outcome().catch((error: Error) => {
      this.#note(`control group of ${this.id} cannot be read: ${error.message}`)
      return undefined
    })
    if (this.#memoryCause !== '') return this.#memoryCause
    const end = this.#translate(code, signal)
    if (end.signal === 'SIGKILL' && !this.#killed && (outcome?.kills ?? 0) > 0) return 'cgroup'
    if (!ABORTS.has(end.signal)) return ''
    const limits = [this.#options.request.heapLimitMb, this.#limits?.memoryMb ?? null]
    const limitMb = Math.min(...limits.filter((limit) => limit !== null))
    const peakBytes = Math.max(this.peakBytes, outcome?.peakBytes ?? 0)
    return peakBytes >= limitMb * 1024 * 1024 * HEAP_SHARE ? 'heap' : ''
  }

  /** How the program ended, from how the process that stands for it ended. */
  #translate(code: number | null, signal: NodeJS.Signals | null): Ending {
    if (this.#options.request.shape === 'group' || code === null) return { code, signal }
    // unshare answers 1 when its init was killed, which is how we kill.
    if (this.#killed && this.#options.request.shape === 'unshare') return { code: null, signal: 'SIGKILL' }
    const carried = FATAL_SIGNALS[code - 128]
    return carried === undefined ? { code, signal } : { code: null, signal: carried }
  }

  #fail(message: string): void {
    this.#state = { kind: 'gone' }
    this.#options.emit({ kind: 'failed', id: this.id, message })
  }

  #note(message: string): void {
    this.#options.emit({ kind: 'note', message })
  }
}

function standardStreams(shape: TreeShape, log: Socket): (IOType | Socket)[] {
  switch (shape) {
    case 'bubblewrap':
      return ['ignore', log, log, 'pipe']
    case 'unshare':
      return ['ignore', log, 'ignore', log]
    case 'group':
      return ['ignore', log, log, 'ignore']
  }
}

function dialLog(path: string, header: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    // The callback comes when the kernel has the header: from here on the connection can change hands.
    socket.write(header, () => resolve(socket))
  })
}

function adjustOomScore(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE)
  } catch {
    // Gone already, or not ours to say on this system: a preference, not a limit.
  }
}
