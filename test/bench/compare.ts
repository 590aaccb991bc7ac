import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deploy, invokeUrl, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { ECHO } from './http.ts'
import { load } from './load.ts'
import { median, quantile, type Figure } from './report.ts'

const SLOW = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 30_000))'
const SETTLE_SECONDS = 2
/** Between the changes of a function that replace its environments: spares are refilled by then. */
const REFILL_MS = 900

/** One thing that is measured of each build in turn; what is less is better unless `higherIsBetter`. */
interface Subject {
  readonly name: string
  readonly unit: string
  readonly higherIsBetter: boolean
  readonly measure: (lambent: RunningLambent, seconds: number, round: number) => Promise<number>
}

/**
 * This build against the one in another checkout (`folder`/dist), round by round in turns. A figure is the
 * ratio of the two, this one over the other; `worse` where the medians are and the quartiles lie apart.
 */
export async function measureAgainst(folder: string, rounds: number, seconds: number): Promise<Figure[]> {
  const body = readFileSync(new URL('event.json', import.meta.url))
  await using ours = await startReady({})
  await using theirs = await startReady({ program: join(folder, 'dist', 'lambent.js') })
  const figures: Figure[] = []
  for (const subject of subjects(body)) {
    const found: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
    for (const lambent of [ours, theirs]) await subject.measure(lambent, SETTLE_SECONDS, -1)
    for (let round = 0; round < rounds; round++) {
      // whoever comes first in a round may find a quieter machine: take turns
      const order = round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)
      for (const side of order)
        found[side].push(await subject.measure(side === 'ours' ? ours : theirs, seconds, round))
    }
    figures.push(figureOf(subject, found))
  }
  return figures
}

function figureOf(subject: Subject, { ours, theirs }: { ours: number[]; theirs: number[] }): Figure {
  const [low, high] = [0.25, 0.75]
  const isWorse = subject.higherIsBetter
    ? quantile(ours, high) < quantile(theirs, low)
    : quantile(ours, low) > quantile(theirs, high)
  const shown = (value: number): string => value.toPrecision(4)
  const range = (values: readonly number[]): string =>
    `${shown(median(values))} (${shown(quantile(values, low))}-${shown(quantile(values, high))})`
  return {
    name: subject.name,
    value: median(ours) / median(theirs),
    unit: 'x the other',
    note: `${range(ours)} against ${range(theirs)} ${subject.unit}${isWorse ? ', WORSE' : ''}`,
  }
}

async function startReady(options: { readonly program?: string }): Promise<RunningLambent> {
  const lambent = await startLambent(options)
  const zip = await zipOf({ 'index.js': ECHO })
  await deploy(lambent.url, 'serial', zip, { tags: { 'lambent:max-environments': '2' } })
  await deploy(lambent.url, 'parallel', zip, {
    tags: { 'lambent:max-environments': '2', 'lambent:concurrency': '8' },
  })
  await deploy(lambent.url, 'events', await zipOf({ 'index.js': SLOW }), {
    tags: { 'lambent:max-environments': '1', 'lambent:concurrency': '8' },
  })
  await deploy(lambent.url, 'cold', await zipOf({ 'index.js': 'exports.handler = async () => 1' }))
  return lambent
}

function subjects(body: Buffer): Subject[] {
  const loaded =
    (name: string, connections: number, read: 'requestsPerSecond' | 'p50Us', headers = {}) =>
    async ({ url }: RunningLambent, seconds: number): Promise<number> => {
      const result = await load({ url: invokeUrl(url, name), body, connections, seconds, headers })
      if (result.errors > 0) throw new Error(`${name}: ${result.errors} requests failed`)
      return result[read]
    }
  const event = { 'x-amz-invocation-type': 'Event' }
  return [
    {
      name: 'warm, 1 connection, p50',
      unit: 'us',
      higherIsBetter: false,
      measure: loaded('serial', 1, 'p50Us'),
    },
    {
      name: 'warm, 64 connections, serial',
      unit: 'req/s',
      higherIsBetter: true,
      measure: loaded('serial', 64, 'requestsPerSecond'),
    },
    {
      name: 'warm, 64 connections, concurrency 8',
      unit: 'req/s',
      higherIsBetter: true,
      measure: loaded('parallel', 64, 'requestsPerSecond'),
    },
    {
      name: 'durable accepts, 64 connections',
      unit: 'req/s',
      higherIsBetter: true,
      measure: loaded('events', 64, 'requestsPerSecond', event),
    },
    { name: 'cold from a spare, tiny', unit: 'ms', higherIsBetter: false, measure: coldStart },
  ]
}

/** Replaces the function's environments, then times its first invocation. */
async function coldStart({ url }: RunningLambent, _seconds: number, round: number): Promise<number> {
  const configured = await fetch(`${url}/2015-03-31/functions/cold/configuration`, {
    method: 'PUT',
    body: JSON.stringify({ Environment: { Variables: { ROUND: String(round) } } }),
  })
  if (!configured.ok) throw new Error(await configured.text())
  await configured.arrayBuffer()
  await new Promise((resolve) => setTimeout(resolve, REFILL_MS))
  const start = performance.now()
  const response = await fetch(invokeUrl(url, 'cold'), { method: 'POST', body: '{}' })
  await response.arrayBuffer()
  return performance.now() - start
}
