import { systemClock } from '../../runtime/clock.ts'
import { systemRng } from '../../runtime/rng.ts'
import { insertEvent } from '../../runtime/store/events.ts'
import { readFunctionRows } from '../../runtime/store/functions.ts'
import { openStore } from '../../runtime/store/open.ts'
import { keptLog } from '../store/samples.ts'

const ROWS_PER_COMMIT = 5000

/** Puts `count` accepted events for a deployed function into the store of an engine that does not run. */
export async function queueEvents(data: string, functionName: string, count: number): Promise<void> {
  const store = await openStore({ dataDirectory: data, clock: systemClock, log: keptLog(), inline: true })
  const row = readFunctionRows(store.reader).functions.find((one) => one.name === functionName)
  if (row === undefined) throw new Error(`${functionName} is not deployed`)
  const rng = systemRng()
  const now = systemClock.nowMs()
  for (let first = 0; first < count; first += ROWS_PER_COMMIT) {
    const rows = Array.from({ length: Math.min(ROWS_PER_COMMIT, count - first) }, (_, index) =>
      insertEvent({
        id: rng.uuid(now),
        scope: { account: row.account, region: row.region },
        functionId: row.function_id,
        functionName,
        qualifier: '',
        traceId: '',
        clientContext: '',
        tenantId: '',
        acceptedAtMs: now,
        dueAtMs: now,
        attempt: 0,
        payload: Buffer.from(JSON.stringify({ number: first + index, filler: 'z'.repeat(200) })),
      }),
    )
    await store.commit(rows)
  }
  await store.close()
}
