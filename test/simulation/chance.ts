import { seededFractions } from '../chaos/seeded-rng.ts'

/** Everything that is left to chance in a simulation: a seed decides it. */
export class Chance {
  readonly #fraction: () => number

  constructor(seed: number) {
    this.#fraction = seededFractions(seed)
  }

  /** Whether something that happens so often happens now. */
  happens(probability: number): boolean {
    return this.#fraction() < probability
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.#fraction() * (high - low + 1))
  }

  /** One of them; undefined when there is none. */
  pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.#fraction() * all.length)]
  }

  /** One of `weighted`, each as likely as its weight says. */
  weighted<T>(weighted: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.#fraction() * weighted.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of weighted) {
      left -= weight
      if (left < 0) return value
    }
    const last = weighted.at(-1)
    if (last === undefined) throw new Error('There is nothing to choose from.')
    return last[1]
  }
}

/** What happened, as one number: the same for the same seed, or something is left to more than chance. */
export class Trace {
  #high = 0x811c9dc5
  #low = 0x1b873593

  note(text: string): void {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      this.#high = Math.imul(this.#high ^ code, 0x01000193) >>> 0
      this.#low = Math.imul(this.#low ^ (code + (this.#high & 0xff)), 0x85ebca6b) >>> 0
    }
  }

  get hash(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0')
  }
}
