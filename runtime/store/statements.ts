import { actorStatements } from './actors.ts'
import { attachmentStatements } from './attachments.ts'
import { codeSigningStatements } from './code-signing.ts'
import { capacityStatements } from './capacity.ts'
import { endedEventStatements } from './ended-events.ts'
import { eventStatements } from './events.ts'
import { eventSourceStatements } from './event-sources.ts'
import { functionStatements } from './functions.ts'
import { logGroupStatements } from './log-groups.ts'
import { layerStatements } from './layers.ts'
import { nodeStatements } from './nodes.ts'
import { placementGroupStatements } from './placement-groups.ts'
import { routeStatements } from './routes.ts'
import { keyStatements } from './keys.ts'
import { runStatements } from './runs.ts'

/** Every named write there is: name -> SQL. A `Change` names one of these. */
export const STATEMENTS: Readonly<Record<string, string>> = {
  ...functionStatements,
  ...eventStatements,
  ...eventSourceStatements,
  ...endedEventStatements,
  ...runStatements,
  ...logGroupStatements,
  ...attachmentStatements,
  ...layerStatements,
  ...codeSigningStatements,
  ...routeStatements,
  ...capacityStatements,
  ...keyStatements,
  ...actorStatements,
  ...nodeStatements,
  ...placementGroupStatements,
}
