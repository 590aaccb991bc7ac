import type { Clock } from '../../runtime/clock.ts'
import type { Invoker } from '../../runtime/invoke/types.ts'
import type { Log } from '../../runtime/log.ts'
import type { Routes } from '../../runtime/registry/routes.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { IngressActors } from './actor-target.ts'
import type { IamAuthenticator } from './iam.ts'
import type { Reply } from './reply.ts'
import type { UrlLookup, UrlTarget } from './url-target.ts'

/** What the public side needs. */
export interface IngressOptions {
  readonly invoker: Invoker
  readonly urlTarget: UrlLookup
  readonly routes: Routes
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** Base of the URLs that callers are shown: `http://localhost:4701`, or the public one of a proxy. */
  readonly base: URL
  /** Whether a proxy of ours is in front: only then X-Forwarded-For is believed. */
  readonly behindProxy: boolean
  /** Largest event, bytes of JSON; a body is refused at the same size before it is read to its end. */
  readonly payloadLimitBytes: number
  /** Whether API Gateway's and load balancers' own limits hold. */
  readonly strict: boolean
  /** Checks signatures where AWS_IAM is asked for; without it everybody is refused there. */
  readonly iam?: IamAuthenticator
  /** Absent: routes lead to functions only. */
  readonly actors?: IngressActors
  /** Why a URL of AuthType NONE does not take everybody's requests; undefined: it does. */
  readonly refusePublic?: (target: UrlTarget) => Reply | undefined
}
