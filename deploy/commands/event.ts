import type { Session } from '../session.ts'
import { EVENT_SAMPLES, sampleEvent } from '../event-samples.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

/** `lambent event generate [KIND]`: a sample event as JSON, or the kinds there are. */
export async function generate({ out }: Session, kind: string | undefined): Promise<ExitCode> {
  if (kind === undefined) {
    const kinds = Object.keys(EVENT_SAMPLES)
    await out.answer(kinds, () => kinds.join('\n'))
  } else {
    await out.data(`${JSON.stringify(sampleEvent(kind), null, 2)}\n`)
  }
  return EXIT.ok
}
