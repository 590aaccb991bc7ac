// time limit: 120 s
import { suite } from 'uvu'
import { SCHEDULING_BUGS } from '../simulation/planted-bugs.ts'
import { SchedulingWorld } from '../simulation/scheduling-world.ts'
import { addShortForm } from '../simulation/short-form.ts'

/** The short form of `npm run test:simulation`. */
const simulation = suite('a simulated scheduler')

addShortForm(simulation, {
  make: (...parts) => new SchedulingWorld(...parts),
  promise: 'whatever happens, nothing is held twice, lost, or waits without a reason',
  firstSeed: 10_001,
  bugs: SCHEDULING_BUGS,
})

simulation.run()
