import type { EventSourceRecord, SourceState } from '../../runtime/registry/event-source-record.ts'
import { functionArn } from '../../runtime/registry/function-record.ts'
import { isStream } from './event-source-settings.ts'
import type { Wire } from './wire.ts'

const STATES: Record<SourceState, string> = {
  creating: 'Creating',
  enabling: 'Enabling',
  enabled: 'Enabled',
  disabling: 'Disabling',
  disabled: 'Disabled',
  updating: 'Updating',
  deleting: 'Deleting',
}

export const eventSourceArn = ({ id, scope }: Pick<EventSourceRecord, 'id' | 'scope'>): string =>
  `arn:aws:lambda:${scope.region}:${scope.account}:event-source-mapping:${id}`

/** EventSourceMappingConfiguration: what every mapping shows, and what those of its kind do. */
export function eventSourceConfiguration(record: EventSourceRecord): Wire {
  const { settings } = record
  return {
    UUID: record.id,
    BatchSize: settings.batchSize,
    EventSourceArn: record.sourceArn ?? undefined,
    FilterCriteria:
      settings.filters === null ? undefined : { Filters: settings.filters.map((Pattern) => ({ Pattern })) },
    FunctionArn: functionArn(record.scope, record.functionName, record.qualifier),
    LastModified: record.modifiedAtMs / 1000,
    State: STATES[record.state],
    StateTransitionReason: isStream(record.kind) ? 'User action' : 'USER_INITIATED',
    EventSourceMappingArn: eventSourceArn(record),
    ...settings.kept,
    ...(isStream(record.kind) ? streamMembers(record) : otherMembers(record)),
  }
}

const streamMembers = ({ settings, lastResult }: EventSourceRecord): Wire => ({
  ...positionMembers(settings.startingPosition),
  MaximumBatchingWindowInSeconds: settings.batchWindowMs / 1000,
  ParallelizationFactor: settings.parallelization,
  LastProcessingResult: lastResult ?? 'No records processed',
  DestinationConfig: destinationMember(settings.onFailure),
  MaximumRecordAgeInSeconds: settings.maxRecordAgeMs === null ? -1 : settings.maxRecordAgeMs / 1000,
  BisectBatchOnFunctionError: settings.bisect,
  MaximumRetryAttempts: settings.maxRetries ?? -1,
  TumblingWindowInSeconds: settings.tumblingWindowMs / 1000,
  FunctionResponseTypes: responseTypes(settings.itemFailures),
})

function otherMembers(record: EventSourceRecord): Wire {
  const { settings, kind, lastResult } = record
  if (kind === 'queue')
    return {
      MaximumBatchingWindowInSeconds: settings.batchWindowMs / 1000,
      FunctionResponseTypes: responseTypes(settings.itemFailures),
      ScalingConfig:
        settings.maxConcurrency === null ? undefined : { MaximumConcurrency: settings.maxConcurrency },
      // queues show none; what keeps one from being read is shown all the same
      LastProcessingResult: lastResult?.startsWith('PROBLEM') === true ? lastResult : undefined,
    }
  return {
    ...positionMembers(settings.startingPosition),
    ...(kind === 'log' ? {} : { MaximumBatchingWindowInSeconds: settings.batchWindowMs / 1000 }),
    DestinationConfig: settings.onFailure === null ? undefined : destinationMember(settings.onFailure),
    LastProcessingResult: lastResult ?? 'No records processed',
  }
}

function positionMembers(position: EventSourceRecord['settings']['startingPosition']): Wire {
  if (position === null) return {}
  if (position.kind === 'oldest') return { StartingPosition: 'TRIM_HORIZON' }
  if (position.kind === 'latest') return { StartingPosition: 'LATEST' }
  return { StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: position.atMs / 1000 }
}

const destinationMember = (onFailure: string | null): Wire => ({
  OnFailure: onFailure === null ? {} : { Destination: onFailure },
})

const responseTypes = (itemFailures: boolean): string[] => (itemFailures ? ['ReportBatchItemFailures'] : [])
