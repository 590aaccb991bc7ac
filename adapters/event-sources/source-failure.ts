import { messageOf } from '../../runtime/errors.ts'

/** What a mapping shows while its source cannot be read. */
export const problemOf = (error: unknown): string =>
  `PROBLEM: ${nameOf(error)}${messageOf(error)}`.slice(0, 300)

/** What a mapping shows while its function does not run. */
export const problemText = (message: string): string => `PROBLEM: ${message}`.slice(0, 300)

/** The name of a service's error as its SDK has it: '' for plain errors. */
export const nameOf = (error: unknown): string =>
  error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''

/** Whether the service said that this is not there. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && /NonExistentQueue|QueueDoesNotExist|ResourceNotFound/.test(error.name)
