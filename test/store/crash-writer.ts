import { writeSync } from 'node:fs'
import { systemClock } from '../../runtime/clock.ts'
import { insertEvent } from '../../runtime/store/events.ts'
import { openStore } from '../../runtime/store/open.ts'
import { idOf, keptLog, makeEvent } from './samples.ts'

/**
 * The program that crash.test.ts kills: `DIRECTORY FIRST` accepts events from number FIRST on, several at
 * once, and prints the number of each one after its commit has resolved. `DIRECTORY hold` only holds the
 * lock.
 */
const [directory = '', first = ''] = process.argv.slice(2)
const store = await openStore({ dataDirectory: directory, clock: systemClock, log: keptLog(), inline: true })
writeSync(1, 'open\n')
if (first !== 'hold') await Promise.all([0, 1, 2, 3].map((lane) => accept(Number(first) + lane)))
else setInterval(() => undefined, 60_000) // until it is killed

async function accept(from: number): Promise<never> {
  for (let number = from; ; number += 4) {
    await store.commit([insertEvent({ ...makeEvent(idOf(number)), payload: Buffer.from(`event ${number}`) })])
    writeSync(1, `${number}\n`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
