import type { Engine } from '../../runtime/index.ts'
import { EngineError } from '../../runtime/errors.ts'
import { EventSourceHost } from './host.ts'
import type { SourceProbe } from './source-probe.ts'

/** Event sources while an engine runs. */
export interface OpenEventSources {
  readonly probe: SourceProbe
  /** Lets go of what still runs. */
  close(): void
}

/** Starts reading the sources of all enabled mappings, until the engine stops. */
export function openEventSources(engine: Engine): OpenEventSources {
  const { eventSources, clock, log } = engine
  const host = new EventSourceHost({
    eventSources,
    startPoller: (record) => {
      throw new EngineError('unsupported', `Sources of kind ${record.kind} are not read.`)
    },
    clock,
    log,
  })
  engine.onDrain(() => host.drain())
  host.open()
  return { probe: { check: () => Promise.resolve() }, close: () => host.close() }
}
