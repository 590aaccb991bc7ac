// time limit: 120 s
import { suite } from 'uvu'
import { EVENT_BUGS } from '../simulation/event-bugs.ts'
import { QueueWorld } from '../simulation/queue-world.ts'
import { addShortForm } from '../simulation/short-form.ts'

/** The short form of `npm run test:simulation -- --only queue`. */
const simulation = suite('a simulated queue of events')

addShortForm(simulation, {
  make: (...parts) => new QueueWorld(...parts),
  promise: 'whatever happens, each accepted event has one outcome, in order and after its retries',
  firstSeed: 30_001,
  bugs: EVENT_BUGS,
})

simulation.run()
