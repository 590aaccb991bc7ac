import fs from 'node:fs'

/** Reading /proc costs as much as a small invocation, so the figure may be this old. */
const SAMPLE_MS = 50

/** Peak resident memory of a runtime's processes, by the session that it was started in. */
export class SessionMemory {
  readonly #session: string
  #sampledAtMs = Number.NEGATIVE_INFINITY
  #peakKb = 0

  constructor(session: number) {
    this.#session = String(session)
  }

  /** `nowMs` is monotonic. */
  sampleKb(nowMs: number): number {
    if (nowMs - this.#sampledAtMs >= SAMPLE_MS) {
      this.#sampledAtMs = nowMs
      this.#peakKb = Math.max(this.#peakKb, this.#sumKb())
    }
    return this.#peakKb
  }

  #sumKb(): number {
    let sumKb = 0
    for (const pid of pids()) {
      const stat = read(`/proc/${pid}/stat`)
      // The name, in brackets, may hold anything; the session is the fourth field behind it.
      const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]
      if (session !== this.#session) continue
      sumKb += Number(/^VmHWM:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)
    }
    return sumKb
  }
}

function pids(): string[] {
  try {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return [] // no /proc here
  }
}

function read(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return '' // gone meanwhile
  }
}
