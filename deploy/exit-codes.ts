/** What a command's end means to a script; the numbers are part of the public face and never change. */
export const EXIT = {
  ok: 0,
  /** The function failed, or what was asked for could not be done. */
  failed: 1,
  usage: 2,
  notFound: 3,
  throttled: 4,
  unreachable: 5,
  timeout: 124,
  interrupted: 130,
} as const

/** One of the values of `EXIT`. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The exit code for an HTTP status that is not a success. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 404) return EXIT.notFound
  if (status === 429) return EXIT.throttled
  if (status === 408 || status === 504) return EXIT.timeout
  if (status === 400 || status === 413 || status === 422) return EXIT.usage
  return EXIT.failed
}

/** Ends a command: the message and the hint go to stderr, the code to the shell. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode
  /** What the reader should do next. */
  readonly hint: string | undefined

  constructor(exitCode: ExitCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCode
    this.hint = options.hint
  }
}

/** For what design promises and this version does not do: it says so and pretends nothing. */
export const notBuiltYet = (what: string): CommandError =>
  new CommandError(EXIT.usage, `${what} is not built yet.`)
