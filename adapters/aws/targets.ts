import type { MessageAttributeValue, SendMessageCommandInput } from '@aws-sdk/client-sqs'
import type { Clock } from '../../runtime/clock.ts'
import { EngineError, type ErrorCode } from '../../runtime/errors.ts'
import type { Invoker } from '../../runtime/invoke/types.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { AwsClients } from './clients.ts'
import { parseTargetArn, type TargetArn } from './target-arn.ts'

/** What is delivered; each target takes the members that it knows. */
export interface OutgoingMessage {
  /** UTF-8 text: a queue's or topic's message, a function's event, an object, an event's detail. */
  readonly body: string
  /** For queues and topics. */
  readonly attributes?: Readonly<Record<string, MessageAttribute>>
  /** For queues and functions: the trace that the message belongs to, as X-Ray's header has it. */
  readonly traceHeader?: string
  /** For event buses, which take nothing without it. */
  readonly envelope?: EventEnvelope
  /** For buckets, which take nothing without it. */
  readonly objectKey?: string
}

export interface MessageAttribute {
  readonly type: 'String' | 'Number'
  readonly value: string
}

/** What an event on a bus carries around its detail. */
export interface EventEnvelope {
  readonly source: string
  readonly detailType: string
  readonly resources: readonly string[]
  readonly timeMs: number
}

/** Delivers to whatever an ARN names. */
export interface Targets {
  /**
   * Resolves when the target has taken the message. `scope` is whose message it is.
   *
   * Rejects with EngineError: 'invalid' (no ARN of a target, or it refuses this message), 'not-found',
   * 'forbidden', 'too-large', 'throttled', 'unavailable' (nobody there, or its failure).
   */
  deliver(scope: Scope, targetArn: string, message: OutgoingMessage, signal?: AbortSignal): Promise<void>
}

/** Queues whose URL is remembered. */
const MAX_QUEUE_URLS = 1000

/** Delivery to queues, topics, event buses and buckets by AWS's clients, to functions by this engine. */
export function createTargets(parts: {
  readonly clients: AwsClients
  readonly invoker: Pick<Invoker, 'accept'>
  readonly clock: Clock
  readonly rng: Rng
}): Targets {
  const { clients, invoker, clock, rng } = parts
  const queueUrls = new Map<string, string>()

  const queueUrl = async (target: Of<'queue'>, scope: Scope, abort: Abort): Promise<string> => {
    const key = `${scope.account} ${target.scope.region} ${target.scope.account} ${target.name}`
    const known = queueUrls.get(key)
    if (known !== undefined) return known
    const { GetQueueUrlCommand } = await import('@aws-sdk/client-sqs')
    const client = await clients.get('sqs', { account: scope.account, region: target.scope.region })
    const owner = { QueueName: target.name, QueueOwnerAWSAccountId: target.scope.account }
    const { QueueUrl } = await client.send(new GetQueueUrlCommand(owner), abort)
    if (QueueUrl === undefined) throw new EngineError('not-found', `Queue ${target.name} has no URL.`)
    if (queueUrls.size >= MAX_QUEUE_URLS) queueUrls.clear()
    queueUrls.set(key, QueueUrl)
    return QueueUrl
  }

  const toQueue = async (target: Of<'queue'>, scope: Scope, message: OutgoingMessage, abort: Abort) => {
    const QueueUrl = await queueUrl(target, scope, abort)
    const { SendMessageCommand } = await import('@aws-sdk/client-sqs')
    const client = await clients.get('sqs', { account: scope.account, region: target.scope.region })
    try {
      const sent = { QueueUrl, MessageBody: message.body, ...attributesOf(message), ...traceOf(message) }
      await client.send(new SendMessageCommand(sent), abort)
    } catch (error) {
      queueUrls.clear() // it may be another queue of that name by now
      throw error
    }
  }

  const toTopic = async (
    target: Of<'topic'>,
    arn: string,
    scope: Scope,
    message: OutgoingMessage,
    abort: Abort,
  ) => {
    const { PublishCommand } = await import('@aws-sdk/client-sns')
    const client = await clients.get('sns', { account: scope.account, region: target.scope.region })
    await client.send(
      new PublishCommand({ TopicArn: arn, Message: message.body, ...attributesOf(message) }),
      abort,
    )
  }

  const toBus = async (
    target: Of<'event-bus'>,
    arn: string,
    scope: Scope,
    message: OutgoingMessage,
    abort: Abort,
  ) => {
    const { envelope } = message
    if (envelope === undefined) throw new EngineError('invalid', 'An event bus takes no plain messages.')
    const { PutEventsCommand } = await import('@aws-sdk/client-eventbridge')
    const client = await clients.get('eventbridge', { account: scope.account, region: target.scope.region })
    const entry = {
      EventBusName: arn,
      Source: envelope.source,
      DetailType: envelope.detailType,
      Resources: [...envelope.resources],
      Time: new Date(envelope.timeMs),
      Detail: message.body,
    }
    const { FailedEntryCount, Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }), abort)
    if ((FailedEntryCount ?? 0) === 0) return
    const { ErrorCode = 'unknown', ErrorMessage = '' } = Entries?.[0] ?? {}
    throw new EngineError(
      /Internal|Throttl/.test(ErrorCode) ? 'unavailable' : 'invalid',
      `${ErrorCode}: ${ErrorMessage}`,
    )
  }

  const toBucket = async (target: Of<'bucket'>, scope: Scope, message: OutgoingMessage, abort: Abort) => {
    const { objectKey } = message
    if (objectKey === undefined) throw new EngineError('invalid', 'A bucket takes nothing without a key.')
    const { PutObjectCommand } = await import('@aws-sdk/client-s3')
    const client = await clients.get('s3', scope)
    const object = {
      Bucket: target.name,
      Key: objectKey,
      Body: message.body,
      ContentType: 'application/json',
    }
    await client.send(new PutObjectCommand(object), abort)
  }

  const toFunction = (target: Of<'function'>, message: OutgoingMessage) =>
    invoker.accept({
      scope: target.scope,
      functionName: target.functionName,
      qualifier: target.qualifier,
      payload: Buffer.from(message.body),
      requestId: rng.uuid(clock.nowMs()),
      traceId: message.traceHeader ?? '',
      clientContext: '',
      tenantId: '',
    })

  const send = (scope: Scope, arn: string, message: OutgoingMessage, signal?: AbortSignal): Promise<void> => {
    const target = parseTargetArn(arn)
    if (target === undefined)
      throw new EngineError('invalid', 'It is no ARN of anything that takes messages.')
    const abort = signal === undefined ? {} : { abortSignal: signal }
    switch (target.kind) {
      case 'queue':
        return toQueue(target, scope, message, abort)
      case 'topic':
        return toTopic(target, arn, scope, message, abort)
      case 'event-bus':
        return toBus(target, arn, scope, message, abort)
      case 'bucket':
        return toBucket(target, scope, message, abort)
      case 'function':
        return toFunction(target, message)
    }
  }

  return {
    deliver: async (scope, arn, message, signal) => {
      try {
        await send(scope, arn, message, signal)
      } catch (cause) {
        throw undelivered(arn, cause)
      }
    },
  }
}

type Of<Kind extends TargetArn['kind']> = Extract<TargetArn, { kind: Kind }>
type Abort = { abortSignal?: AbortSignal }

/** Queues and topics spell attributes alike. */
function attributesOf({ attributes }: OutgoingMessage): {
  MessageAttributes?: Record<string, MessageAttributeValue & { DataType: string }>
} {
  if (attributes === undefined) return {}
  const entries = Object.entries(attributes).map(
    ([name, { type, value }]) => [name, { DataType: type, StringValue: value }] as const,
  )
  return { MessageAttributes: Object.fromEntries(entries) }
}

const traceOf = ({
  traceHeader,
}: OutgoingMessage): Pick<SendMessageCommandInput, 'MessageSystemAttributes'> =>
  traceHeader === undefined
    ? {}
    : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: traceHeader } } }

/** What a failure means to whoever may try again. */
function undelivered(arn: string, cause: unknown): EngineError {
  const { name, message } = cause instanceof Error ? cause : { name: 'Error', message: String(cause) }
  const code = cause instanceof EngineError ? cause.code : codeOf(name, statusOf(cause))
  const told = cause instanceof EngineError ? message : `${name}: ${message}`
  return new EngineError(code, `Delivery to ${arn} failed. ${told}`, { cause })
}

function codeOf(name: string, status: number | undefined): ErrorCode {
  if (/NonExistent|DoesNotExist|NotFound|NoSuch/.test(name) || status === 404) return 'not-found'
  if (/Throttl|TooManyRequests|SlowDown/.test(name) || status === 429) return 'throttled'
  if (/TooLarge|TooLong/.test(name) || status === 413) return 'too-large'
  if (status === 401 || status === 403) return 'forbidden'
  return status !== undefined && status >= 400 && status < 500 ? 'invalid' : 'unavailable'
}

/** The status that AWS's clients hang on what they throw; undefined when there was no answer. */
function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('$metadata' in thrown)) return undefined
  const metadata = thrown.$metadata as { httpStatusCode?: unknown } | undefined // read with care below
  return typeof metadata?.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
