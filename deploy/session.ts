import type { Command } from 'commander'
import type { Api } from './api.ts'
import type { ExitCode } from './exit-codes.ts'
import type { Output } from './output.ts'

/** What every command is handed beside its own arguments. */
export interface Session {
  readonly api: Api
  readonly out: Output
  /** The bearer token that the api sends; undefined: none. */
  readonly key: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts on the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

/** Flags of `start` and `dev` as commander hands them over: camelCase, text or lists of text. */
export type StartFlags = Readonly<Record<string, string | string[] | undefined>>

/** A command's work; what it returns is the exit code. */
export type Action = (session: Session) => Promise<ExitCode>

/** Runs a command's work with the options that every command has. */
export type Run = (command: Command, action: Action) => Promise<void>
