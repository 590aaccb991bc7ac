import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KafkaPoller } from '../../../adapters/event-sources/kafka-poller.ts'
import { topicEvent, topicRecord } from '../../../adapters/event-sources/kafka-record.ts'
import { createRecordFilter } from '../../../adapters/event-sources/record-filter.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { createLog } from '../../../runtime/log.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { until, within } from '../../support/until.ts'
import { createFakeClock } from '../../support/clock.ts'
import { StreamWorld } from './stream-world.ts'

const kafka = suite('topics of Kafka')

const MESSAGE = {
  key: Buffer.from('k'),
  value: Buffer.from('{"kind":"a"}'),
  timestamp: '1767225600000',
  attributes: 0,
  offset: '15',
  headers: { one: Buffer.from('ab'), many: ['c', Buffer.from('d')], none: undefined },
}

kafka('a record is shaped as the service shapes it', () => {
  const record = topicRecord(MESSAGE, 'orders', 0)

  const event = topicEvent(['a:9092', 'b:9092'], 'orders', 0, [record])

  assert.equal(event, {
    eventSource: 'SelfManagedKafka',
    bootstrapServers: 'a:9092,b:9092',
    records: {
      'orders-0': [
        {
          topic: 'orders',
          partition: 0,
          offset: 15,
          timestamp: 1_767_225_600_000,
          timestampType: 'CREATE_TIME',
          key: 'aw==',
          value: 'eyJraW5kIjoiYSJ9',
          headers: [{ one: [97, 98] }, { many: [99] }, { many: [100] }],
        },
      ],
    },
  })
})

kafka('patterns look into the value', () => {
  const { filterable } = topicRecord({ ...MESSAGE, key: null }, 'orders', 0)

  assert.is(createRecordFilter(['{"value":{"kind":["a"]}}'])(filterable), true)
  assert.is(createRecordFilter(['{"value":{"kind":["b"]}}'])(filterable), false)
  assert.is(createRecordFilter(['{"topic":["orders"]}'])(filterable), true)
  assert.is('key' in filterable.event, false)
})

kafka('a cluster that is not there is named as the problem, and a stop does not wait for it', async () => {
  const results: string[] = []
  const poller = new KafkaPoller({
    record: new StreamWorld().record(),
    cluster: { servers: ['127.0.0.1:1'], topics: ['orders'], groupId: 'g' },
    invoker: new StreamWorld().invoker(),
    clock: systemClock,
    rng: systemRng(),
    log: createLog({ level: 'silent', clock: createFakeClock(), sink: () => {} }),
    onResult: (result) => results.push(result),
  })

  await until('there is a problem', () => results.length > 0, 20_000)
  await within('the stop', poller.stop(AbortSignal.abort()))

  assert.match(results[0] ?? '', /^PROBLEM: .*127\.0\.0\.1:1/)
})

kafka.run()
