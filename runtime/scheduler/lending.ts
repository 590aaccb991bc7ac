import type { Environment } from '../environments/environment.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { EnvironmentPool } from '../environments/pool.ts'
import type { Lease } from './cluster.ts'

/** One that has what it waited for and wants its processor back. */
interface Returning {
  readonly environment: Environment
  readonly invocation: Invocation
  readonly resume: () => void
}

/** What lending works with. */
export interface LendingParts {
  readonly pools: ReadonlyMap<string, EnvironmentPool>
  leaseOf(environment: Environment): Lease | undefined
  /** The processors of `environment` are others' now. */
  lent(environment: Environment): void
}

/**
 * Processors of environments whose code waits for others: they are lent meanwhile, and taken back before it
 * goes on. Who wants one back comes before new work, the deepest first. GPUs and memory are never lent.
 */
export class Lending {
  readonly #parts: LendingParts
  readonly #returning: Returning[] = []

  constructor(parts: LendingParts) {
    this.#parts = parts
  }

  /** How many want their processor back. */
  get returning(): number {
    return this.#returning.length
  }

  /** The code of `invocation` waits. */
  block(environment: Environment, invocation: Invocation): void {
    if (invocation.isBlocked) return
    environment.block(invocation, true)
    this.#lend(environment)
  }

  /** It goes on: `resume` is called once it has a processor. */
  unblock(environment: Environment, invocation: Invocation, resume: () => void): void {
    if (!invocation.isBlocked) return resume()
    this.#returning.push({ environment, invocation, resume })
    this.serve()
  }

  /** Something in `environment` has ended. */
  calmed(environment: Environment): void {
    if (environment.isWaiting) this.#lend(environment)
    else if (this.#returning.length > 0) this.serve()
  }

  /** Whether all that runs in `environment` waits, so that a child of it may run there. */
  isIdleInside(environment: Environment): boolean {
    return environment.state === 'busy' && running(environment) === 0
  }

  /** There may be processors: whoever wants one back gets it. */
  serve(): void {
    if (this.#returning.length === 0) return
    const depthOf = ({ invocation }: Returning): number => invocation.input.depth ?? 0
    for (const one of this.#returning.toSorted((left, right) => depthOf(right) - depthOf(left))) {
      const { environment, invocation, resume } = one
      if (invocation.state === 'ended' || environment.state === 'stopped') {
        this.#forget(one)
        continue
      }
      if (running(environment) > 0 || !this.#takeBack(environment)) continue
      this.#forget(one)
      environment.block(invocation, false)
      resume()
    }
  }

  /** An idle environment gives its processors to others until it has work again. Whether there was one. */
  parkIdle(node?: string): boolean {
    for (const pool of this.#parts.pools.values()) {
      for (const environment of pool.idle) {
        const lease = this.#parts.leaseOf(environment)
        if (environment.isParked || environment.provisioned || !pool.mayPark) continue
        if ((lease?.resources['cpu'] ?? 0) === 0 || (node !== undefined && lease?.node !== node)) continue
        environment.isParked = true
        lease?.lend()
        return true
      }
    }
    return false
  }

  /** A parked one has work: whether its processors are its own again. */
  unpark(environment: Environment): boolean {
    if (!this.#takeBack(environment)) return false
    environment.isParked = false
    return true
  }

  /** Takes back what `environment` lent, or what idle ones hold. */
  #takeBack(environment: Environment): boolean {
    const lease = this.#parts.leaseOf(environment)
    if (lease === undefined) return true
    while (!lease.takeBack()) if (!this.parkIdle(lease.node)) return false
    return true
  }

  /** Has the processors of `environment` for a child of what runs there. */
  enter(environment: Environment): boolean {
    return this.#takeBack(environment)
  }

  #lend(environment: Environment): void {
    if (running(environment) > 0) return
    this.#parts.leaseOf(environment)?.lend()
    this.serve()
    if (running(environment) === 0) this.#parts.lent(environment)
  }

  #forget(one: Returning): void {
    this.#returning.splice(this.#returning.indexOf(one), 1)
  }
}

/** How many invocations do not wait there. */
function running(environment: Environment): number {
  let count = 0
  for (const one of environment.inFlight) if (one.state === 'running' && !one.isBlocked) count += 1
  return count
}
