import type { Initialized } from '../../frames.ts'
import type { HeldInvocation } from './held-invocation.ts'

/** How loading went, as far as the runtime says. */
export type LoadOutcome = Pick<Initialized, 'error' | 'errorJson'> &
  Partial<Pick<Initialized, 'codeCache' | 'streaming'>>

/** What a runtime does, for whoever has to know. */
export interface RuntimeEvents {
  /** It has loaded the code and waits for work, which it gets after `open`. */
  ready(outcome: LoadOutcome): void
  /** It could not. */
  initFailed(outcome: LoadOutcome): void
  /** It is about to be handed an invocation. */
  started(invocation: HeldInvocation): void
  /** What it has written by now belongs to what it is answering. */
  answering(): void
  /** The first byte of its response is there. */
  responding(invocation: HeldInvocation): void
  /** An invocation was answered. */
  ended(invocation: HeldInvocation): void
  /** It waits for work again. */
  waiting(): void
}
