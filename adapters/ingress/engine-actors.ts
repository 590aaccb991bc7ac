import type { Actors } from '../../runtime/actors/actors.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { IngressActors } from './actor-target.ts'

/** The engine's actors as ingress uses them. */
export const ingressActors = ({ directory }: Actors): IngressActors => ({
  call(address, request) {
    try {
      const call = directory.call(address, request)
      return {
        cancel: () => directory.cancel(call),
        taken: (count) => call.actor.activation?.taken(call, count),
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      request.sink.failed(error)
      return { cancel: () => undefined, taken: () => undefined }
    }
  },
  serveSockets(host) {
    directory.sockets = {
      socketsOf: ({ address }) => host.socketsOf(address),
      said: ({ address }, id, verb, payload) => host.said(address, id, verb, payload),
    }
  },
})
