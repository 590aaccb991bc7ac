import { actorShape } from '../../runtime/actors/actor-options.ts'
import type { ActorCode } from '../../runtime/actors/actor-parts.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'

/** Keys of the actors. */
export const KEYS = ['a', 'b', 'c'] as const
/** Calls that may wait for one actor. */
export const MAILBOX = 6
/** What waits before the options are known, and what was sent ahead and comes back, may be more. */
export const MOST_WAITING = 1000 + 128
/** Whatever waits has an end by then, when nothing goes wrong any more. */
export const PATIENCE_MS = 1_200_000
/** Options of their class. */
export const OPTIONS = { idle: '2s', mailbox: MAILBOX, concurrent: ['peek'] }

/** What can happen to simulated actors. */
export type Act =
  | ('call' | 'progress' | 'disk' | 'pass' | 'crash' | 'echo' | 'late')
  | ('kill' | 'destroy' | 'deploy' | 'giveUp' | 'restart' | 'lookUp')
type Weighted = readonly (readonly [weight: number, act: Act])[]

/** How often each thing happens. */
export const ACTS: Weighted = [
  [26, 'call'],
  [36, 'progress'],
  [20, 'disk'],
  [8, 'pass'],
  [2, 'crash'],
  [2, 'echo'],
  [2, 'late'],
  [0.7, 'kill'],
  [0.5, 'destroy'],
  [0.5, 'deploy'],
  [1, 'giveUp'],
  [0.7, 'restart'],
  [2, 'lookUp'],
]
/** Nothing new, and no faults. */
export const CALM: Weighted = [
  [50, 'progress'],
  [30, 'disk'],
  [18, 'pass'],
  [2, 'lookUp'],
]
type Method = 'add' | 'get' | 'peek' | 'throw' | 'set-alarm' | 'flush'
/** What is called, how often. */
export const METHODS: readonly (readonly [weight: number, method: Method])[] = [
  [45, 'add'],
  [15, 'get'],
  [15, 'peek'],
  [6, 'throw'],
  [9, 'set-alarm'],
  [10, 'flush'],
]

/** Where an actor is. */
export const address = (key: string): ActorAddress => ({
  scope: { account: '0', region: 'r' },
  functionName: 'shop',
  className: 'Tally',
  key,
})

/** Code of the actors' class as a lookup finds it; `isCurrent` says whether it still would. */
export function codeOf(code: FunctionVersion, isCurrent: () => boolean): ActorCode {
  return {
    shape: actorShape(code, 'Tally', OPTIONS),
    isCurrent,
    invocation: ({ key }) => ({
      requestId: key,
      version: code,
      limits: { functionId: '', reservedConcurrency: null, inFlight: 0 },
      ...{ invokedArn: '', traceId: '', clientContext: '', tenantId: '' },
      streaming: false,
      waitsForever: true,
    }),
  }
}
