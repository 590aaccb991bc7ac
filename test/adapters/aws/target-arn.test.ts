import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseTargetArn } from '../../../adapters/aws/target-arn.ts'

const parsing = suite('ARNs of targets')
const scope = { region: 'eu-west-1', account: '123456789012' }

parsing('of every kind are taken apart', () => {
  const parsed = (resource: string) => parseTargetArn(`arn:aws:${resource}`)

  assert.equal(parsed('sqs:eu-west-1:123456789012:orders'), {
    kind: 'queue',
    scope,
    name: 'orders',
    fifo: false,
  })
  assert.equal(parsed('sns:eu-west-1:123456789012:orders.fifo'), {
    kind: 'topic',
    scope,
    name: 'orders.fifo',
    fifo: true,
  })
  assert.equal(parsed('events:eu-west-1:123456789012:event-bus/my.bus'), {
    kind: 'event-bus',
    scope,
    name: 'my.bus',
  })
  assert.equal(parsed('s3:::my-bucket'), { kind: 'bucket', name: 'my-bucket' })
  assert.equal(parsed('lambda:eu-west-1:123456789012:function:next:live'), {
    kind: 'function',
    scope,
    functionName: 'next',
    qualifier: 'live',
  })
})

parsing('that nothing can be delivered to are none', () => {
  for (const arn of [
    'orders',
    'arn:aws:sqs:eu-west-1:123456789012:',
    'arn:aws:sqs:eu-west-1:12345:orders',
    'arn:aws:events:eu-west-1:123456789012:rule/x',
    'arn:aws:s3:eu-west-1::bucket',
    'arn:aws:s3:::bucket/key',
    'arn:aws:lambda:eu-west-1:123456789012:layer:x',
    'arn:aws:dynamodb:eu-west-1:123456789012:table/x',
  ])
    assert.is(parseTargetArn(arn), undefined, arn)
})

parsing.run()
