import type { LogEvent, LogQuery, LogStream, RunRecord } from './journal.ts'
import { droppedLine, endLines, endOf, startLine } from './log-lines.ts'

/** What a follower wants to see. */
export type FollowQuery = Pick<LogQuery, 'scope' | 'functionName' | 'group' | 'contains' | 'requestId'>

interface Follower {
  readonly query: FollowQuery
  readonly listener: (event: LogEvent) => void
}

/** Whoever watches logs live. Lines are rendered here only while somebody does. */
export class LogFollowers {
  readonly #followers = new Set<Follower>()

  get any(): boolean {
    return this.#followers.size > 0
  }

  add(query: FollowQuery, listener: (event: LogEvent) => void): Disposable {
    const follower = { query, listener }
    this.#followers.add(follower)
    return { [Symbol.dispose]: () => void this.#followers.delete(follower) }
  }

  line(stream: LogStream, timeMs: number, requestId: string, message: string): void {
    for (const { query, listener } of this.#followers) {
      if (!matches(query, stream, requestId, message)) continue
      const { group, name, functionName } = stream
      listener({ timeMs: Math.round(timeMs), message, group, stream: name, functionName, requestId })
    }
  }

  started(stream: LogStream, timeMs: number, requestId: string, version: string): void {
    const line = startLine(stream, timeMs, requestId, version)
    if (line !== undefined) this.line(stream, timeMs, requestId, line)
  }

  finished(stream: LogStream, run: RunRecord, startWritten: boolean): void {
    if (!startWritten) this.started(stream, run.startedAtMs, run.runId, run.version)
    for (const line of endLines(stream, run)) this.line(stream, endOf(run), run.runId, line)
  }

  dropped(stream: LogStream, timeMs: number, lines: number, characters: number): void {
    if (this.any) this.line(stream, timeMs, '', droppedLine(stream, timeMs, lines, characters))
  }
}

const matches = (query: FollowQuery, stream: LogStream, requestId: string, message: string): boolean =>
  query.scope.account === stream.scope.account &&
  query.scope.region === stream.scope.region &&
  (query.functionName === undefined || query.functionName === stream.functionName) &&
  (query.group === undefined || query.group === stream.group) &&
  (query.requestId === undefined || query.requestId === requestId) &&
  (query.contains === undefined || message.includes(query.contains))
