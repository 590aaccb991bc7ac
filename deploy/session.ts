import type { Api } from './api.ts'
import type { Output } from './output.ts'

/** What every command is handed beside its own arguments. */
export interface Session {
  readonly api: Api
  readonly out: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts on the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

/** Flags of `start` and `dev` as commander hands them over: camelCase, text or lists of text. */
export type StartFlags = Readonly<Record<string, string | string[] | undefined>>
