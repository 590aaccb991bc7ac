import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb'
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  KinesisClient,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis'
import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { startSink, type Given, type Reply, type Sink } from '../support/event-sources.ts'
import { startMoto, type Moto } from '../support/moto.ts'
import { until } from '../support/until.ts'
import { CaseRun } from './case.ts'
import { ACCOUNT, REGION, Service } from './service.ts'

/** The service under test with sources that it reads. */
export class SourceService implements AsyncDisposable {
  readonly service: Service
  readonly moto: Moto
  readonly sink: Sink
  readonly sqs: SQSClient
  readonly kinesis: KinesisClient
  readonly dynamodb: DynamoDBClient
  readonly client: { endpoint: string; region: string; credentials: object }

  private constructor(service: Service, moto: Moto, sink: Sink) {
    const credentials = { accessKeyId: ACCOUNT, secretAccessKey: 'test' }
    this.service = service
    this.moto = moto
    this.sink = sink
    this.client = { endpoint: moto.url, region: REGION, credentials }
    const client = { endpoint: moto.url, region: REGION, credentials }
    this.sqs = new SQSClient(client)
    // Kinesis's own handler speaks HTTP/2, which moto does not
    this.kinesis = new KinesisClient({ ...client, requestHandler: this.sqs.config.requestHandler })
    this.dynamodb = new DynamoDBClient(client)
  }

  static async start(): Promise<SourceService> {
    const [moto, sink] = await Promise.all([startMoto(ACCOUNT), startSink()])
    return new SourceService(
      await Service.start({ ...moto.environment, AWS_ENDPOINT_URL_S3: moto.url }),
      moto,
      sink,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await Promise.all([this.moto[Symbol.asyncDispose](), this.sink[Symbol.asyncDispose]()])
  }
}

/** A mapping's source as a case made it. */
export interface Source {
  readonly arn: string
  readonly url: string
}

/** A case that leads through a source. */
export class SourceRun extends CaseRun {
  readonly #sources: SourceService
  #mapping: string | undefined

  constructor(sources: SourceService, recording: ConstructorParameters<typeof CaseRun>[1], name: string) {
    super(sources.service.other(), recording, name)
    this.#sources = sources
  }

  /** Another function of the same case. */
  sibling(suffix: string): SourceRun {
    return new SourceRun(this.#sources, {}, `${this.name}${suffix}`)
  }

  get world(): SourceService {
    return this.#sources
  }

  /** A function that answers as `reply` says. */
  async handle(reply: (given: Given, number: number) => Reply = () => ({ result: null })): Promise<void> {
    let number = 0
    const { sink } = this.#sources
    const before = sink.reply
    sink.reply = (given, all) =>
      given.functionName === this.name ? reply(given, ++number) : before(given, all)
    await this.create({ source: sink.code(this.name), Timeout: 5 })
  }

  /** Creates the mapping, compares the answer, and waits until it is Enabled. */
  async map(
    entry: string | undefined,
    input: Partial<CreateEventSourceMappingCommandInput>,
  ): Promise<string> {
    const command = new CreateEventSourceMappingCommand({ FunctionName: this.name, ...input })
    const created = entry === undefined ? await this.send(command) : await this.record(entry, command)
    const UUID = String(created['UUID'])
    this.#mapping = UUID
    await this.settled('Enabled')
    return UUID
  }

  async settled(state: string): Promise<void> {
    const get = new GetEventSourceMappingCommand({ UUID: this.#mapping })
    await until(`the mapping is ${state}`, async () => (await this.send(get))['State'] === state)
  }

  get mapping(): GetEventSourceMappingCommand {
    return new GetEventSourceMappingCommand({ UUID: this.#mapping })
  }

  /** As `compare`, for an entry that is a list. */
  compareItems(entry: string, items: readonly unknown[]): void {
    this.compare(entry, items as never) // the comparison walks lists and objects alike
  }

  /** Nothing of this case runs beside the next. */
  async end(): Promise<void> {
    if (this.#mapping === undefined) return
    await this.send(new DeleteEventSourceMappingCommand({ UUID: this.#mapping }))
  }

  /** Events of the function, once there are as many. */
  async events(count: number): Promise<Given['event'][]> {
    const own = (): Given[] =>
      this.#sources.sink.given.filter(({ functionName }) => functionName === this.name)
    await until(`${count} events`, () => own().length >= count, 30_000)
    return own().map(({ event }) => event)
  }

  async queue(suffix = '', Attributes: Record<string, string> = {}): Promise<Source> {
    const QueueName = `${this.name}${suffix}`
    const { QueueUrl: url = '' } = await this.#sources.sqs.send(
      new CreateQueueCommand({ QueueName, Attributes }),
    )
    return { url, arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${QueueName}` }
  }

  /** What ReceiveMessage answers once there is a message, as botocore shows it. */
  async received({ url }: Source): Promise<Readonly<Record<string, unknown>>> {
    const Messages = await until(
      'a message is there',
      async () => {
        const answer = await this.#sources.sqs.send(
          new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ['All'] }),
        )
        return answer.Messages
      },
      30_000,
    )
    return { Messages, ResponseMetadata: { HTTPHeaders: {}, HTTPStatusCode: 200 } }
  }

  async stream(): Promise<Source> {
    const StreamName = this.name
    await this.#sources.kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }))
    await until('the stream is there', async () => {
      const { StreamDescription } = await this.#sources.kinesis.send(
        new DescribeStreamCommand({ StreamName }),
      )
      return StreamDescription?.StreamStatus === 'ACTIVE'
    })
    return { url: '', arn: `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${StreamName}` }
  }

  async put(PartitionKey: string, text: string): Promise<void> {
    const record = { StreamName: this.name, PartitionKey, Data: Buffer.from(text) }
    await this.#sources.kinesis.send(new PutRecordCommand(record))
  }

  /** The stream of a new table with one key. */
  async table(key: string, StreamViewType: 'NEW_IMAGE' | 'NEW_AND_OLD_IMAGES'): Promise<Source> {
    const TableName = this.name
    const { dynamodb } = this.#sources
    await dynamodb.send(
      new CreateTableCommand({
        TableName,
        KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: key, AttributeType: 'S' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    )
    const StreamSpecification = { StreamEnabled: true, StreamViewType }
    await dynamodb.send(new UpdateTableCommand({ TableName, StreamSpecification }))
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }))
    return { url: '', arn: Table?.LatestStreamArn ?? '' }
  }
}

/** Answers of other services that a case recorded on its way. */
export const isElsewhere = (entry: string): boolean =>
  /queue_url|send[_-]message|create[_-](dynamodb_)?table|update_table|table_creation|put_concurrency/.test(
    entry,
  )
