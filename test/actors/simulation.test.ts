// time limit: 120 s
import { suite } from 'uvu'
import { ACTOR_BUGS } from '../simulation/actor-bugs.ts'
import { ActorsWorld } from '../simulation/actors-world.ts'
import { addShortForm } from '../simulation/short-form.ts'

/** The short form of `npm run test:simulation -- --only actors`. */
const simulation = suite('simulated actors')

addShortForm(simulation, {
  make: (...parts) => new ActorsWorld(...parts),
  promise: 'whatever happens, no acknowledged write is lost or counted twice, and every call ends',
  firstSeed: 20_001,
  bugs: ACTOR_BUGS,
})

simulation.run()
