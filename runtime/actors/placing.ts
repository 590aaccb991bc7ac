import type { ActorCall, CallOwner } from './actor-call.ts'

/** The call that runs in `actor` and waits, at however many removes, for one that `parent`'s code makes. */
export function outerOf(actor: CallOwner, parent: ActorCall | undefined): ActorCall | undefined {
  for (let call = parent; call !== undefined; call = call.request.parent)
    if (call.actor === actor && call.state === 'sent') return call
  return undefined
}

/** Whether a call runs beside others, since its class says so of the method. */
export const isBeside = ({ request }: ActorCall, concurrent: ReadonlySet<string> | undefined): boolean =>
  concurrent !== undefined && request.kind === 'method' && concurrent.has(request.name)
