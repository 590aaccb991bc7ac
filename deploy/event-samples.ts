import { createHash } from 'node:crypto'
import { CommandError, EXIT } from './exit-codes.ts'
import { HTTP_EVENT_SAMPLES } from './http-event-samples.ts'

const ACCOUNT = '000000000000'
const REGION = 'us-east-1'
const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const s3 = (eventName: string, object: object) => ({
  Records: [
    {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: REGION,
      eventTime: '2026-01-02T03:04:05.678Z',
      eventName,
      userIdentity: { principalId: 'AWS:EXAMPLEUPLOADER' },
      requestParameters: { sourceIPAddress: '127.0.0.1' },
      responseElements: {
        'x-amz-request-id': '4QJ7Z0EXAMPLE123',
        'x-amz-id-2': 'kRz5c1dExampleExtendedRequestIdOfTheUpload/0123456789=',
      },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'new-photos',
        bucket: {
          name: 'holiday-photos',
          ownerIdentity: { principalId: 'A1EXAMPLEOWNER' },
          arn: 'arn:aws:s3:::holiday-photos',
        },
        object,
      },
    },
  ],
})

const dynamodb = (eventName: string, images: object) => ({
  Records: [
    {
      eventID: '5f2c8a1be0d94c7f9a3e6b7d8c9e0f12',
      eventName,
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: REGION,
      dynamodb: {
        ApproximateCreationDateTime: 1_767_323_045,
        Keys: { orderId: { S: 'o-1001' } },
        ...images,
        SequenceNumber: '300000000000000000001',
        SizeBytes: 59,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
      eventSourceARN: arn('dynamodb', 'table/orders/stream/2026-01-01T00:00:00.000'),
    },
  ],
})

const OLD_ORDER = { orderId: { S: 'o-1001' }, state: { S: 'packed' }, items: { N: '2' } }
const NEW_ORDER = { orderId: { S: 'o-1001' }, state: { S: 'sent' }, items: { N: '2' } }

const eventBridge = (envelope: object) => ({
  version: '0',
  id: '6a7e8feb-b491-4cf7-a9f1-bf3703467718',
  account: ACCOUNT,
  time: '2026-01-02T03:04:05Z',
  region: REGION,
  ...envelope,
})

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

const MESSAGE_BODY = '{"orderId":"o-1001"}'

/** SQS hashes an attribute as its name, type and value, each with its length, and a 1 for "text". */
function md5OfTextAttribute(name: string, value: string): string {
  const sized = (text: string): string => `\0\0\0${String.fromCharCode(text.length)}${text}`
  return md5(`${sized(name)}${sized('String')}\u0001${sized(value)}`)
}

/** Sample events by `source:kind`, with every field that AWS documents for them and values of our own. */
export const EVENT_SAMPLES: Readonly<Record<string, object>> = {
  's3:put': s3('ObjectCreated:Put', {
    key: 'beach/day+1/sunset.jpg',
    size: 48_213,
    eTag: '9b2cf535f27731c974343645a3985328',
    sequencer: '0065A1B2C3D4E5F678',
  }),
  's3:delete': s3('ObjectRemoved:Delete', {
    key: 'beach/day+1/sunset.jpg',
    sequencer: '0065A1B2C3D4E5F679',
  }),
  'sqs:receive': {
    Records: [
      {
        messageId: '19dd0b57-b21e-4ac1-bd88-01bbb068cb78',
        receiptHandle: 'ExampleReceiptHandleOfOneDelivery==',
        body: MESSAGE_BODY,
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: '1767323045678',
          SenderId: 'AIDAEXAMPLESENDER',
          ApproximateFirstReceiveTimestamp: '1767323045690',
        },
        messageAttributes: {
          priority: { stringValue: 'high', stringListValues: [], binaryListValues: [], dataType: 'String' },
        },
        md5OfBody: md5(MESSAGE_BODY),
        md5OfMessageAttributes: md5OfTextAttribute('priority', 'high'),
        eventSource: 'aws:sqs',
        eventSourceARN: arn('sqs', 'orders'),
        awsRegion: REGION,
      },
    ],
  },
  'sns:notification': {
    Records: [
      {
        EventSource: 'aws:sns',
        EventVersion: '1.0',
        EventSubscriptionArn: arn('sns', 'alerts:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55'),
        Sns: {
          Type: 'Notification',
          MessageId: '95df01b4-ee98-5cb9-9903-4c221d41eb5e',
          TopicArn: arn('sns', 'alerts'),
          Subject: 'Disk is nearly full',
          Message: '{"node":"node-1","usedPercent":91}',
          Timestamp: '2026-01-02T03:04:05.678Z',
          SignatureVersion: '1',
          Signature: 'ExampleSignatureThatNobodyCanVerify==',
          SigningCertUrl: 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-example.pem',
          UnsubscribeUrl: 'https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe',
          MessageAttributes: { severity: { Type: 'String', Value: 'warning' } },
        },
      },
    ],
  },
  'dynamodb:insert': dynamodb('INSERT', { NewImage: OLD_ORDER }),
  'dynamodb:update': dynamodb('MODIFY', { NewImage: NEW_ORDER, OldImage: OLD_ORDER }),
  'dynamodb:remove': dynamodb('REMOVE', { OldImage: NEW_ORDER }),
  'kinesis:put': {
    Records: [
      {
        kinesis: {
          kinesisSchemaVersion: '1.0',
          partitionKey: 'sensor-7',
          sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
          data: base64('{"sensor":7,"celsius":21.5}'),
          approximateArrivalTimestamp: 1_767_323_045.678,
        },
        eventSource: 'aws:kinesis',
        eventVersion: '1.0',
        eventID: 'shardId-000000000006:49590338271490256608559692538361571095921575989136588898',
        eventName: 'aws:kinesis:record',
        invokeIdentityArn: `arn:aws:iam::${ACCOUNT}:role/sensor-reader`,
        awsRegion: REGION,
        eventSourceARN: arn('kinesis', 'stream/sensors'),
      },
    ],
  },
  'eventbridge:scheduled': eventBridge({
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    resources: [arn('events', 'rule/nightly')],
    detail: {},
  }),
  'eventbridge:custom': eventBridge({
    'detail-type': 'OrderSent',
    source: 'shop.orders',
    resources: [],
    detail: { orderId: 'o-1001', items: 2 },
  }),
  ...HTTP_EVENT_SAMPLES,
}

/** The sample `kind`. Throws a usage error that names all kinds when there is none. */
export function sampleEvent(kind: string): object {
  const sample = EVENT_SAMPLES[kind]
  if (sample !== undefined) return sample
  throw new CommandError(EXIT.usage, `There is no sample event "${kind}".`, {
    hint: `There are: ${Object.keys(EVENT_SAMPLES).join(', ')}`,
  })
}
