import picocolors from 'picocolors'

/** Where a command writes: data to stdout, everything for the eye to stderr. */
export interface Output {
  /** True when stdout should carry JSON alone. */
  readonly json: boolean
  /** A person reads stderr. */
  readonly isTerminal: boolean
  /** Colours of stderr: plain text unless it is a terminal and NO_COLOR is unset. */
  readonly paint: ReturnType<typeof picocolors.createColors>
  /** Bytes or text of the answer, as they are; resolves when stdout has taken them. */
  data(chunk: string | Uint8Array): Promise<void>
  /** One line for the eye. */
  note(line: string): void
  /**
   * The answer: `value` as one JSON document with --json, else `readable()`, which ends without a line feed.
   */
  answer(value: unknown, readable: () => string): Promise<void>
}

/** The output of this process. */
export function createOutput(options: {
  json: boolean
  environment: Readonly<Record<string, string | undefined>>
}): Output {
  const { json, environment } = options
  // Undefined in a pipe, which createColors would take for leave to decide by itself.
  const isTerminal: boolean = process.stderr.isTTY === true
  const isPlain = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb'
  const data = (chunk: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()))
    })
  return {
    json,
    isTerminal,
    paint: picocolors.createColors(isTerminal && !isPlain),
    data,
    note: (line) => void process.stderr.write(`${line}\n`),
    answer: (value, readable) => data(`${json ? JSON.stringify(value, null, 2) : readable()}\n`),
  }
}

/** Rows under headings, columns as wide as their widest cell; the last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    rows.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), heading.length),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(headings), ...rows.map(line)].join('\n')
}

/** `4 s`, `12 min`, `3 h`, `2 d`: how long ago, at a glance. */
export function age(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - fromMs) / 1000))
  if (seconds < 100) return `${seconds} s`
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
