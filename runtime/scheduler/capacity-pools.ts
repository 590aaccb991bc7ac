import { MILLI } from '../resources.ts'
import type { Cluster, Lease } from './cluster.ts'
import type { LeaseRequest } from './node-state.ts'

/**
 * A cluster in which functions of one capacity provider hold no more processors than it may: what it holds is
 * counted over all nodes, beside what the nodes themselves have room for.
 */
export class CapacityPools implements Cluster {
  readonly #cluster: Cluster
  readonly #limitOf: (provider: string) => number | undefined
  /** Milli-units of `cpu` by provider. */
  readonly #held = new Map<string, number>()

  /** `limitOf` says how much of `cpu` a provider may hold, in milli-units; undefined: as much as there is. */
  constructor(cluster: Cluster, limitOf: (provider: string) => number | undefined) {
    this.#cluster = cluster
    this.#limitOf = limitOf
  }

  nodes(): ReturnType<Cluster['nodes']> {
    return this.#cluster.nodes()
  }

  holdings(): ReturnType<Cluster['holdings']> {
    return this.#cluster.holdings()
  }

  launcher(node: string): ReturnType<Cluster['launcher']> {
    return this.#cluster.launcher(node)
  }

  keep(...[claimant, kept]: Parameters<Cluster['keep']>): void {
    this.#cluster.keep(claimant, kept)
  }

  infeasible(request: LeaseRequest, times = 1): string | undefined {
    const limit = request.provider === undefined ? undefined : this.#limitOf(request.provider)
    if (limit !== undefined && cpuOf(request) * times > limit) return tooMuch(request, limit)
    return this.#cluster.infeasible(request, times)
  }

  acquire(request: LeaseRequest, holder: string): ReturnType<Cluster['acquire']> {
    const { provider } = request
    if (provider === undefined) return this.#cluster.acquire(request, holder)
    const cpu = cpuOf(request)
    const limit = this.#limitOf(provider) ?? Infinity
    const held = this.#held.get(provider) ?? 0
    if (cpu > limit) return { kind: 'infeasible', reason: tooMuch(request, limit) }
    if (held + cpu > limit)
      return {
        kind: 'wait',
        reason: `The functions of ${provider} hold ${held / MILLI} of ${limit / MILLI} cpu.`,
      }
    const outcome = this.#cluster.acquire(request, holder)
    if (outcome.kind !== 'leased') return outcome
    this.#count(provider, cpu)
    return { kind: 'leased', lease: this.#counted(outcome.lease, provider, cpu) }
  }

  #counted(lease: Lease, provider: string, cpu: number): Lease {
    let lent = false
    return {
      ...lease,
      lend: () => {
        lease.lend()
        if (!lent) this.#count(provider, -cpu)
        lent = true
      },
      takeBack: () => {
        if (!lent) return true
        const limit = this.#limitOf(provider) ?? Infinity
        if ((this.#held.get(provider) ?? 0) + cpu > limit || !lease.takeBack()) return false
        lent = false
        this.#count(provider, cpu)
        return true
      },
      [Symbol.dispose]: () => {
        lease[Symbol.dispose]()
        if (!lent) this.#count(provider, -cpu)
      },
    }
  }

  #count(provider: string, more: number): void {
    const held = (this.#held.get(provider) ?? 0) + more
    if (held > 0) this.#held.set(provider, held)
    else this.#held.delete(provider)
  }
}

const cpuOf = ({ resources }: LeaseRequest): number => resources['cpu'] ?? 0

const tooMuch = (request: LeaseRequest, limit: number): string =>
  `${request.provider} has ${limit / MILLI} cpu, and ${cpuOf(request) / MILLI} for each environment do not fit.`
