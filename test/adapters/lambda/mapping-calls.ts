import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  GetEventSourceMappingCommand,
  UpdateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  type EventSourceMappingConfiguration,
  type UpdateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda'
import { within } from '../../support/until.ts'
import { NEW, startApi, type Refusal, type TestApi, type TestApiOptions } from './start-api.ts'

export const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:orders'
export const STREAM = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
export const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/pets/stream/2026-01-02T03:04:05.678'
export const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
export const HERE = { account: '000000000000', region: 'us-east-1' }
export const FunctionName = 'orders'
export const SELF_MANAGED = { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } }
export const ACCESS = [
  { Type: 'BASIC_AUTH' as const, URI: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:s' },
]

/** An API with an active function and a version of it. */
export async function startWithFunction(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: true }))
  await within('a settled function', api.registry.ready(HERE, FunctionName))
  return api
}

export type Answer = Omit<EventSourceMappingConfiguration, never>

/** What came back, without the SDK's own. */
async function answerOf(
  call: Promise<EventSourceMappingConfiguration & { $metadata: object }>,
): Promise<Answer> {
  const { $metadata: _, ...answer } = await call
  return answer
}

export const create = (
  { client }: TestApi,
  input: Omit<CreateEventSourceMappingCommandInput, 'FunctionName'> & { FunctionName?: string },
): Promise<Answer> => answerOf(client.send(new CreateEventSourceMappingCommand({ FunctionName, ...input })))

export const update = (
  { client }: TestApi,
  UUID: string,
  input: Omit<UpdateEventSourceMappingCommandInput, 'UUID'>,
): Promise<Answer> => answerOf(client.send(new UpdateEventSourceMappingCommand({ UUID, ...input })))

export const get = ({ client }: TestApi, UUID: string): Promise<Answer> =>
  answerOf(client.send(new GetEventSourceMappingCommand({ UUID })))

/** As if whoever polls had applied the last change. */
export const settle = async ({ eventSources }: TestApi, UUID: string): Promise<void> =>
  await eventSources.settle(eventSources.get(HERE, UUID))

export async function createSettled(api: TestApi, input: Parameters<typeof create>[1]): Promise<string> {
  const { UUID = '' } = await create(api, input)
  await settle(api, UUID)
  return UUID
}

export const refusedWith = (name: string, status: number, message: string): Refusal => ({
  name,
  message,
  status,
})
export const invalid = (message: string): Refusal =>
  refusedWith('InvalidParameterValueException', 400, message)
