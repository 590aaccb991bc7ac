import { readFileSync } from 'node:fs'
import { deploy, invokeUrl, startLambent, zipOf } from '../support/lambent.ts'
import { ECHO } from './http.ts'
import { load } from './load.ts'
import { median, type Figure } from './report.ts'

/** Events accepted durably and run to their recorded end: from the first accept to an empty queue. */
export async function measureEvents(rounds: number, seconds: number): Promise<Figure[]> {
  const body = readFileSync(new URL('event.json', import.meta.url))
  await using lambent = await startLambent()
  const tags = { 'lambent:max-environments': '1', 'lambent:concurrency': '8' }
  await deploy(lambent.url, 'events', await zipOf({ 'index.js': ECHO }), { tags })
  const url = invokeUrl(lambent.url, 'events')
  const headers = { 'x-amz-invocation-type': 'Event' }
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    const result = await load({ url, body, connections: 64, seconds, headers })
    while ((await queued(lambent.url)) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    rates.push((result.requestsPerSecond * seconds) / ((performance.now() - start) / 1000))
  }
  return [
    {
      name: 'events accepted and finished durably, 64 connections',
      value: median(rates),
      unit: '1/s',
      target: { atLeast: 10_000 },
    },
  ]
}

async function queued(url: string): Promise<number> {
  const health = (await (await fetch(`${url}/lambent/v1/health`)).json()) as { queuedEvents: number }
  return health.queuedEvents
}
