/**
 * Which of AWS's two handler contracts holds: `callbacks` up to nodejs22.x (AWS's runtime client 3.x),
 * `promises` from nodejs24.x on (4.x).
 */
export type HandlerContract = 'callbacks' | 'promises'

const FIRST_MAJOR_WITHOUT_CALLBACKS = 24

/** The contract of `nodejs<major>.x`; for any other runtime name, the one of the Node.js that runs this. */
export function contractOf(runtime: string): HandlerContract {
  const match = /^nodejs(\d+)/.exec(runtime) ?? /^v(\d+)/.exec(process.version)
  return Number(match?.[1]) >= FIRST_MAJOR_WITHOUT_CALLBACKS ? 'promises' : 'callbacks'
}
