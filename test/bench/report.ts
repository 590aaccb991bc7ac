import { cpus, totalmem } from 'node:os'

/** A figure, what it is compared with, and the bar it is held to. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** `>=` or `<=` and the target of the design; undefined: told, not judged. */
  readonly target?: { readonly atLeast?: number; readonly atMost?: number }
  readonly note?: string
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

const met = ({ value, target }: Figure): string => {
  if (target === undefined) return ''
  const good =
    (target.atLeast === undefined || value >= target.atLeast) &&
    (target.atMost === undefined || value <= target.atMost)
  return good ? 'met' : 'MISSED'
}

const bar = ({ target }: Figure): string =>
  target?.atLeast !== undefined
    ? `>= ${target.atLeast}`
    : target?.atMost !== undefined
      ? `<= ${target.atMost}`
      : ''

const shown = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)

/** Prints the table a person reads, and one JSON line a program reads. */
export function print(figures: readonly Figure[], tool: string): void {
  const rows = figures.map((figure) => [
    figure.name,
    `${shown(figure.value)} ${figure.unit}`.trim(),
    bar(figure),
    met(figure),
    figure.note ?? '',
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1e6),
    node: process.version,
    tool,
  }
  console.log(JSON.stringify({ machine, figures }))
}
