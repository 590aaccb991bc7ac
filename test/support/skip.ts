interface Suite {
  (name: string, handler: () => void | Promise<void>): void
  skip(name?: string): void
}

/**
 * `suite` itself when `missing` is undefined; otherwise a suite whose tests count as skipped, with one line
 * that says why. The runner shows the line.
 */
export function unlessMissing(
  suite: Suite,
  missing: string | undefined,
): (...test: Parameters<Suite>) => void {
  if (missing === undefined) return suite
  process.stdout.write(`\nskipped: ${missing}\n`)
  return (name) => suite.skip(name)
}
