/** Pictures of digits, one after the other, and what they show. */
export interface Digits {
  /** 784 shades a picture, 0 to 1. */
  readonly pixels: Float32Array
  readonly labels: Uint8Array
}

/** What is tried: the step of the descent, the width of the hidden layer, the pictures that make a step. */
export interface Trial {
  readonly rate: number
  readonly hidden: number
  readonly batch: number
  readonly epochs: number
}

/** A network of one hidden layer. */
export interface Network {
  readonly hidden: number
  /** hidden x 784, hidden, 10 x hidden, 10. */
  readonly inner: Float32Array
  readonly innerBias: Float32Array
  readonly outer: Float32Array
  readonly outerBias: Float32Array
}

export const PIXELS = 784
export const CLASSES = 10

/** Random numbers that are the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

/** A network that has learned nothing yet. */
export function freshNetwork(hidden: number, seed: number): Network {
  const random = randomFrom(seed)
  const scaled = (size: number, scale: number): Float32Array =>
    Float32Array.from({ length: size }, () => (random() * 2 - 1) * scale)
  return {
    hidden,
    inner: scaled(hidden * PIXELS, Math.sqrt(6 / (PIXELS + hidden))),
    innerBias: new Float32Array(hidden),
    outer: scaled(CLASSES * hidden, Math.sqrt(6 / (hidden + CLASSES))),
    outerBias: new Float32Array(CLASSES),
  }
}

/** One pass over all pictures in steps of `trial.batch`; changes the network, returns the mean loss. */
export function trainEpoch(network: Network, digits: Digits, trial: Trial, seed: number): number {
  const count = digits.labels.length
  const order = shuffled(count, randomFrom(seed))
  const step = new Step(network)
  let loss = 0
  for (let from = 0; from < count; from += trial.batch) {
    const until = Math.min(count, from + trial.batch)
    for (let index = from; index < until; index++) loss += step.add(digits, order[index] ?? 0)
    step.apply(trial.rate / (until - from))
  }
  return loss / count
}

/** The share of pictures that the network reads right. */
export function accuracyOf(network: Network, digits: Digits): number {
  const activations = new Float32Array(network.hidden)
  const scores = new Float32Array(CLASSES)
  let right = 0
  for (let index = 0; index < digits.labels.length; index++) {
    forward(network, digits.pixels, index * PIXELS, activations, scores)
    if (scores.indexOf(Math.max(...scores)) === digits.labels[index]) right += 1
  }
  return right / digits.labels.length
}

/** Hidden activations (rectified) and the shares of the classes (softmax). */
function forward(
  network: Network,
  pixels: Float32Array,
  offset: number,
  activations: Float32Array,
  scores: Float32Array,
): void {
  const { hidden, inner, innerBias, outer, outerBias } = network
  for (let unit = 0; unit < hidden; unit++) {
    let sum = innerBias[unit] ?? 0
    const row = unit * PIXELS
    for (let pixel = 0; pixel < PIXELS; pixel++)
      sum += (inner[row + pixel] as number) * (pixels[offset + pixel] as number)
    activations[unit] = sum > 0 ? sum : 0
  }
  let largest = -Infinity
  for (let digit = 0; digit < CLASSES; digit++) {
    let sum = outerBias[digit] ?? 0
    for (let unit = 0; unit < hidden; unit++)
      sum += (outer[digit * hidden + unit] as number) * (activations[unit] as number)
    scores[digit] = sum
    largest = Math.max(largest, sum)
  }
  let total = 0
  for (let digit = 0; digit < CLASSES; digit++) {
    const power = Math.exp((scores[digit] ?? 0) - largest)
    scores[digit] = power
    total += power
  }
  for (let digit = 0; digit < CLASSES; digit++) scores[digit] = (scores[digit] ?? 0) / total
}

/** What the pictures of one step say together about how the network should change. */
class Step {
  readonly #network: Network
  readonly #inner: Float32Array
  readonly #innerBias: Float32Array
  readonly #outer: Float32Array
  readonly #outerBias: Float32Array
  readonly #activations: Float32Array
  readonly #scores = new Float32Array(CLASSES)

  constructor(network: Network) {
    this.#network = network
    this.#inner = new Float32Array(network.inner.length)
    this.#innerBias = new Float32Array(network.hidden)
    this.#outer = new Float32Array(network.outer.length)
    this.#outerBias = new Float32Array(CLASSES)
    this.#activations = new Float32Array(network.hidden)
  }

  /** Adds one picture; returns its loss. */
  add({ pixels, labels }: Digits, index: number): number {
    const { hidden, outer } = this.#network
    const offset = index * PIXELS
    forward(this.#network, pixels, offset, this.#activations, this.#scores)
    const label = labels[index] ?? 0
    const loss = -Math.log(Math.max(1e-9, this.#scores[label] ?? 0))
    this.#scores[label] = (this.#scores[label] ?? 0) - 1
    for (let unit = 0; unit < hidden; unit++) {
      const activation = this.#activations[unit] ?? 0
      let slope = 0
      for (let digit = 0; digit < CLASSES; digit++) {
        const error = this.#scores[digit] ?? 0
        slope += error * (outer[digit * hidden + unit] ?? 0)
        this.#outer[digit * hidden + unit] = (this.#outer[digit * hidden + unit] ?? 0) + error * activation
      }
      if (activation <= 0) continue
      this.#innerBias[unit] = (this.#innerBias[unit] ?? 0) + slope
      const row = unit * PIXELS
      for (let pixel = 0; pixel < PIXELS; pixel++)
        this.#inner[row + pixel] =
          (this.#inner[row + pixel] ?? 0) + slope * (pixels[offset + pixel] as number)
    }
    for (let digit = 0; digit < CLASSES; digit++)
      this.#outerBias[digit] = (this.#outerBias[digit] ?? 0) + (this.#scores[digit] ?? 0)
    return loss
  }

  /** Goes one step down and starts anew. */
  apply(rate: number): void {
    const { inner, innerBias, outer, outerBias } = this.#network
    descend(inner, this.#inner, rate)
    descend(innerBias, this.#innerBias, rate)
    descend(outer, this.#outer, rate)
    descend(outerBias, this.#outerBias, rate)
  }
}

function descend(weights: Float32Array, slopes: Float32Array, rate: number): void {
  for (let index = 0; index < weights.length; index++)
    weights[index] = (weights[index] ?? 0) - rate * (slopes[index] ?? 0)
  slopes.fill(0)
}

function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  for (let index = count - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    const kept = order[index] ?? 0
    order[index] = order[other] ?? 0
    order[other] = kept
  }
  return order
}
