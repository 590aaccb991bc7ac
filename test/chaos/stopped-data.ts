import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { messageOf } from '../../runtime/errors.ts'
import { createCodePackages } from '../../runtime/registry/packages.ts'
import { systemRng } from '../../runtime/rng.ts'
import { countEvents, countQuarantinedEvents } from '../../runtime/store/events.ts'
import { readFunctionRows } from '../../runtime/store/functions.ts'
import { openStore } from '../../runtime/store/open.ts'
import { keptLog } from '../store/samples.ts'

/** What is wrong with the data directory of an engine that owes nothing and has stopped. */
export async function verifyStopped(data: string): Promise<string[]> {
  const problems: string[] = []
  const log = keptLog()
  const store = await openStore({ dataDirectory: data, clock: systemClock, log, inline: true })
  const integrity = store.reader.pragma('integrity_check', { simple: true })
  if (integrity !== 'ok') problems.push(`the database: ${String(integrity)}`)
  const events = countEvents(store.reader)
  const quarantined = countQuarantinedEvents(store.reader)
  if (events + quarantined > 0) problems.push(`${events} events are owed and ${quarantined} are set aside`)
  const ids = new Set(readFunctionRows(store.reader).versions.map((version) => version.package_id))
  await store.close()

  const directory = join(data, 'packages')
  const staged = readdirSync(join(directory, '.staging'))
  if (staged.length > 0) problems.push(`${staged.length} half packages lie in .staging`)
  const packages = await createCodePackages({ directory, clock: systemClock, rng: systemRng(), log })
  // What no version uses any more is kept for an hour; it has to be whole too.
  const kept = readdirSync(directory).filter((name) => name !== '.staging')
  for (const id of new Set([...ids, ...kept])) {
    await packages.verify(id).catch((error: unknown) => problems.push(`package ${id}: ${messageOf(error)}`))
  }
  await packages.close()
  const environments = readdirSync(join(data, 'environments'))
  if (environments.length > 0) problems.push(`environments/ still holds ${environments.join(', ')}`)
  return problems
}
