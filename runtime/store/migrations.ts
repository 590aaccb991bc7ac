import { actorsSchema } from './actors.ts'
import { attachmentsSchema } from './attachments.ts'
import { codeSigningSchema } from './code-signing.ts'
import { capacitySchema } from './capacity.ts'
import { endedEventsSchema, endedEventTracesSchema } from './ended-events.ts'
import { eventsSchema } from './events.ts'
import { eventSourcesSchema } from './event-sources.ts'
import { functionsSchema } from './functions.ts'
import { logGroupsSchema } from './log-groups.ts'
import { layersSchema } from './layers.ts'
import { keysSchema } from './keys.ts'
import { logsSchema } from './log-streams.ts'
import { nodesSchema } from './nodes.ts'
import { placementGroupsSchema } from './placement-groups.ts'
import { routesSchema } from './routes.ts'
import { runsSchema } from './runs.ts'

/** One row: how often an engine has started on this data directory. */
const bootEpochSchema = `
CREATE TABLE boot_epoch (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO boot_epoch (id, epoch) VALUES (1, 0);
`

/** The schema, one step a release that changed it. A step that was shipped never changes. */
export const MIGRATIONS: readonly string[] = [
  [bootEpochSchema, functionsSchema, eventsSchema, runsSchema, logsSchema].join('\n'),
  logGroupsSchema,
  eventSourcesSchema,
  [attachmentsSchema, layersSchema, codeSigningSchema].join('\n'),
  routesSchema,
  capacitySchema,
  endedEventsSchema,
  keysSchema,
  endedEventTracesSchema,
  actorsSchema,
  nodesSchema,
  placementGroupsSchema,
]
