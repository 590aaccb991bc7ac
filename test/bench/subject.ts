import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

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
  return subject(child, `http://127.0.0.1:${line.split(' ').at(-1)}`)
}

function subject(child: ChildProcess, url: string): Subject {
  return {
    url,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.stdin?.end()
      child.kill('SIGTERM')
      await gone
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
