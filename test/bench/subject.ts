import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import yazl from 'yazl'

const here = dirname(fileURLToPath(import.meta.url))

/** A program under measurement: a real process of its own. */
export interface Subject extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** The bare node:http echo every figure is divided by. */
export async function startFloor(): Promise<Subject> {
  const child = spawn(process.execPath, [join(here, 'floor-server.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const line = await firstLine(child, 'floor ready')
  return subject(child, `http://127.0.0.1:${line.split(' ').at(-1)}`, async () => {})
}

/** A `lambent start` of the built program with a data folder of its own; settings as LAMBENT_ variables. */
export async function startLambent(settings: Readonly<Record<string, string>> = {}): Promise<Subject> {
  const data = await mkdtemp(join(tmpdir(), 'lambent-bench-'))
  const program = join(here, '..', '..', 'dist', 'lambent.js')
  const argv = [program, 'start', '--port', '0', '--http-port', '0', '--data', data, '--log-level', 'warn']
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...settings },
  })
  const line = await firstLine(child, 'lambent ready')
  const url = /api=(\S+)/.exec(line)?.[1] ?? ''
  return subject(child, url, () => rm(data, { recursive: true, force: true }))
}

function subject(child: ChildProcess, url: string, cleanUp: () => Promise<void>): Subject {
  return {
    url,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.stdin?.end()
      child.kill('SIGTERM')
      await gone
      await cleanUp()
    },
  }
}

function firstLine(child: ChildProcess, start: string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${start}: exited with ${code} before it was ready`)))
    if (child.stdout === null) return reject(new Error('no stdout'))
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith(start)) resolve(line)
    })
  })
}

/** A zip of files by name. */
export function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name)
  zip.end()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    zip.outputStream.on('data', (chunk: Buffer) => chunks.push(chunk))
    zip.outputStream.on('end', () => resolve(Buffer.concat(chunks)))
    zip.outputStream.on('error', reject)
  })
}

/** Creates a function over the Lambda API and waits until it is Active. */
export async function deploy(
  url: string,
  name: string,
  zip: Buffer,
  options: { tags?: Record<string, string>; memoryMb?: number; timeoutSeconds?: number } = {},
): Promise<void> {
  const base = `${url}/2015-03-31/functions`
  const created = await fetch(base, {
    method: 'POST',
    body: JSON.stringify({
      FunctionName: name,
      Role: 'arn:aws:iam::000000000000:role/bench',
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      Handler: 'index.handler',
      Timeout: options.timeoutSeconds ?? 60,
      MemorySize: options.memoryMb ?? 512,
      Code: { ZipFile: zip.toString('base64') },
      Tags: options.tags ?? {},
    }),
  })
  if (created.status !== 201) throw new Error(`${name}: ${created.status} ${await created.text()}`)
  for (;;) {
    const answer = (await (await fetch(`${base}/${name}/configuration`)).json()) as {
      State?: string
      StateReason?: string
    }
    if (answer.State === 'Active') return
    if (answer.State === 'Failed') throw new Error(`${name}: ${answer.StateReason}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const invokeUrl = (url: string, name: string): string =>
  `${url}/2015-03-31/functions/${name}/invocations`

/** Resident and proportional memory of one process, MB. */
export function memoryOf(pid: number): { rssMb: number; pssMb: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mb = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024
  return { rssMb: mb('Rss'), pssMb: mb('Pss') }
}

/** Processor time a process has used, microseconds, all threads. */
export function cpuOf(pid: number): number {
  let nanoseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return nanoseconds / 1000
}
