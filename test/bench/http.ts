import { readFileSync } from 'node:fs'
import { load, type Load } from './load.ts'
import { median, quantile, type Figure } from './report.ts'
import { deploy, invokeUrl, startLambent, zipOf } from '../support/lambent.ts'
import { cpuOf, startFloor } from './subject.ts'

/** Answers with the event, as the floor does. */
export const ECHO = `exports.handler = async (event) => ({
  statusCode: 200, headers: { 'content-type': 'application/json' }, body: event })`

const SLOW = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 30_000))'
const SETTLE_SECONDS = 2

/**
 * Warm invocations over HTTP against the floor, and durable accepts against warm invocations, interleaved.
 */
export async function measureHttp(rounds: number, seconds: number): Promise<Figure[]> {
  const body = readFileSync(new URL('event.json', import.meta.url))
  await using floor = await startFloor()
  await using lambent = await startLambent()
  const zip = await zipOf({ 'index.js': ECHO })
  await deploy(lambent.url, 'serial', zip, { tags: { 'lambent:max-environments': '2' } })
  await deploy(lambent.url, 'parallel', zip, {
    tags: { 'lambent:max-environments': '2', 'lambent:concurrency': '8' },
  })
  // Accepting is what is measured: the few events that run at once take their time, the others wait on disk.
  await deploy(lambent.url, 'events', await zipOf({ 'index.js': SLOW }), {
    tags: { 'lambent:max-environments': '1', 'lambent:concurrency': '8' },
  })

  const event = { 'x-amz-invocation-type': 'Event' }
  const subjects = {
    floor: { url: floor.url, headers: {} },
    serial: { url: invokeUrl(lambent.url, 'serial'), headers: {} },
    parallel: { url: invokeUrl(lambent.url, 'parallel'), headers: {} },
    accept: { url: invokeUrl(lambent.url, 'events'), headers: event },
  }
  type Name = keyof typeof subjects
  const results = new Map<string, Load[]>()
  const cpu: number[] = []
  const run = async (name: Name, connections: number, length = seconds): Promise<Load> => {
    const before = cpuOf(lambent.pid)
    const result = await load({ ...subjects[name], body, connections, seconds: length })
    if (result.errors > 0) throw new Error(`${name} at ${connections}: ${result.errors} requests failed`)
    if (name === 'serial' && connections === 64)
      cpu.push((cpuOf(lambent.pid) - before) / (result.requestsPerSecond * length))
    return result
  }
  for (const name of ['floor', 'serial', 'parallel'] as const) await run(name, 64, SETTLE_SECONDS)
  for (const connections of [1, 16, 64]) {
    for (let round = 0; round < rounds; round++) {
      for (const name of ['floor', 'serial', 'parallel'] as const) {
        const key = `${name} ${connections}`
        results.set(key, [...(results.get(key) ?? []), await run(name, connections)])
      }
    }
  }
  for (let round = 0; round < rounds; round++) {
    results.set('accept 64', [...(results.get('accept 64') ?? []), await run('accept', 64)])
    results.set('serial beside', [...(results.get('serial beside') ?? []), await run('serial', 64)])
  }
  return figures(results, cpu)
}

function figures(results: ReadonlyMap<string, Load[]>, cpu: readonly number[]): Figure[] {
  const of = (key: string): Load[] => results.get(key) ?? []
  const ratio = (over: string, under: string, value: (load: Load) => number): number[] =>
    of(over).map((load, index) => value(load) / value(of(under)[index] ?? load))
  const rate = (load: Load): number => load.requestsPerSecond
  const p50 = (load: Load): number => load.p50Us
  const told = (name: string, ratios: number[], target: Figure['target'], loads: Load[]): Figure => ({
    name,
    value: median(ratios),
    unit: 'x floor',
    ...(target ? { target } : {}),
    note: [
      `${Math.round(median(loads.map(rate)))} req/s`,
      `p50 ${median(loads.map(p50))} us`,
      `p99 ${median(loads.map((one) => one.p99Us))} us`,
      `quartiles ${quantile(ratios, 0.25).toFixed(2)}-${quantile(ratios, 0.75).toFixed(2)}`,
    ].join(', '),
  })
  return [
    {
      name: 'floor: node:http echo, 64 connections',
      value: median(of('floor 64').map(rate)),
      unit: 'req/s',
      note: `p50 at 1 connection ${median(of('floor 1').map(p50))} us`,
    },
    told(
      'warm invoke, 64 connections, 2 environments, serial',
      ratio('serial 64', 'floor 64', rate),
      { atLeast: 0.6 },
      of('serial 64'),
    ),
    told(
      'warm invoke, 64 connections, 2 environments, concurrency 8',
      ratio('parallel 64', 'floor 64', rate),
      { atLeast: 0.8 },
      of('parallel 64'),
    ),
    told(
      'warm invoke, 16 connections, 2 environments, serial',
      ratio('serial 16', 'floor 16', rate),
      undefined,
      of('serial 16'),
    ),
    told(
      'warm invoke, 1 connection, p50',
      ratio('serial 1', 'floor 1', p50),
      { atMost: 1.9 },
      of('serial 1'),
    ),
    {
      name: 'engine processor time per warm invoke at 64',
      value: median(cpu),
      unit: 'us',
      target: { atMost: 60 },
    },
    {
      name: 'durable accepts at 64, against warm invokes',
      value: median(ratio('accept 64', 'serial beside', rate)),
      unit: 'x warm',
      target: { atLeast: 0.6 },
      note: `${Math.round(median(of('accept 64').map(rate)))} req/s, p50 ${median(of('accept 64').map(p50))} us`,
    },
  ]
}
