import { readdirSync, readFileSync } from 'node:fs'
import { deploy, invoke, zipOf, type DeployOptions, type RunningLambent } from './lambent.ts'
import { until } from './until.ts'

/** How one synchronous call ended, with what was logged and recorded of it. */
export interface Answer {
  readonly status: number
  /** X-Amz-Function-Error; undefined on success. */
  readonly functionError: string | undefined
  readonly body: unknown
  readonly requestId: string
  /** The last 4 KB of its log. */
  readonly tail: string
  readonly tookMs: number
}

/** The record of one run as the Lambent API shows it. */
export interface Run {
  readonly runId: string
  readonly status: string
  readonly errorType: string | null
  readonly errorMessage: string | null
  readonly durationMs: number
  readonly maxMemoryMb: number
  readonly environmentId: string
  readonly attempt: number
}

/** Deploys `code` as index.js under `name`. */
export async function define(
  { url }: RunningLambent,
  name: string,
  code: string,
  options: DeployOptions = {},
): Promise<void> {
  await deploy(url, name, await zipOf({ 'index.js': code }), { memoryMb: 256, ...options })
}

/** Calls and waits for the answer, whatever it is. */
export async function call({ url }: RunningLambent, name: string, payload: unknown = {}): Promise<Answer> {
  const startedMs = performance.now()
  const { status, body, headers } = await invoke(url, name, payload, { 'X-Amz-Log-Type': 'Tail' })
  return {
    status,
    functionError: headers.get('x-amz-function-error') ?? undefined,
    body,
    requestId: headers.get('x-amzn-requestid') ?? '',
    tail: Buffer.from(headers.get('x-amz-log-result') ?? '', 'base64').toString('utf8'),
    tookMs: performance.now() - startedMs,
  }
}

/** The error JSON of an answer. */
export const failureOf = ({ body }: Answer): { errorType: string; errorMessage: string; trace?: string[] } =>
  // compared field by field by the caller
  body as { errorType: string; errorMessage: string; trace?: string[] }

/** The record of a run, once it is there. */
export const runOf = (lambent: RunningLambent, requestId: string): Promise<Run> =>
  until(`run ${requestId} is recorded`, async () => {
    const response = await fetch(`${lambent.url}/lambent/v1/runs/${requestId}`)
    const run = response.ok ? ((await response.json()) as Run) : undefined
    return run === undefined || UNFINISHED.has(run.status) ? undefined : run
  })

/** An event that has not ended is shown as it is. */
const UNFINISHED = new Set(['waiting', 'running'])

/** What a run has logged, platform lines included. */
export async function logOf({ url }: RunningLambent, requestId: string): Promise<string[]> {
  const response = await fetch(`${url}/lambent/v1/runs/${requestId}/logs`)
  const { lines } = (await response.json()) as { lines: { message: string }[] }
  return lines.map((line) => line.message)
}

/** One execution environment as the Lambent API shows it. */
export interface EnvironmentFacts {
  readonly id: string
  readonly state: string
  readonly functionName?: string
  readonly pid: number | null
}

/** The environments of a function; of all functions without a name. Spares are left out. */
export async function environmentsOf({ url }: RunningLambent, name?: string): Promise<EnvironmentFacts[]> {
  const response = await fetch(`${url}/lambent/v1/environments`)
  const { environments } = (await response.json()) as { environments: EnvironmentFacts[] }
  return environments.filter(({ functionName }) =>
    name === undefined ? functionName !== undefined : functionName === name,
  )
}

/** Resident memory of a process in MB. */
export const residentMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024

/** How many processes of this machine were started with exactly these words. */
export function processesNamed(...words: readonly string[]): number {
  const wanted = `${words.join('\0')}\0`
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1') === wanted
    } catch {
      return false // gone meanwhile
    }
  }).length
}

/** A metric's value; 0 when there is none of that name. */
export async function metric({ url }: RunningLambent, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** The value below which 99 of 100 lie. */
export function p99(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0
}

/** Calls `name` one after the other, `count` times and on until `meanwhile` has settled; ms each. */
export async function timesOf(
  { url }: RunningLambent,
  name: string,
  count: number,
  meanwhile?: Promise<unknown>,
): Promise<number[]> {
  const times: number[] = []
  let over = meanwhile === undefined
  const settled = meanwhile?.finally(() => (over = true))
  while (times.length < count || !over) {
    const startedMs = performance.now()
    const { error, status } = await invoke(url, name)
    if (error || status !== 200) throw new Error(`${name} answered ${status}`)
    times.push(performance.now() - startedMs)
  }
  await settled
  return times
}
