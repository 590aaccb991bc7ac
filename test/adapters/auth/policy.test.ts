import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluatePolicy, type PolicyQuestion } from '../../../adapters/auth/policy.ts'
import type { PolicyStatement } from '../../../runtime/registry/function-record.ts'

const policies = suite('resource policies')

const RESOURCE = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const USER = 'arn:aws:iam::111122223333:user/ada'

const statement = (change: Record<string, unknown> = {}): PolicyStatement => ({
  Sid: 's',
  Effect: 'Allow',
  Principal: { AWS: 'arn:aws:iam::111122223333:root' },
  Action: 'lambda:InvokeFunction',
  Resource: RESOURCE,
  ...change,
})

const ask = (statements: readonly PolicyStatement[], change: Partial<PolicyQuestion> = {}): string =>
  evaluatePolicy(statements, {
    principal: { kind: 'identity', arn: USER, account: '111122223333' },
    action: 'lambda:InvokeFunction',
    resource: RESOURCE,
    context: {},
    ...change,
  })

policies('say nothing to whom they do not name', () => {
  assert.is(ask([]), 'unsaid')
  assert.is(ask([statement()]), 'allowed')
  assert.is(ask([statement({ Principal: { AWS: '111122223333' } })]), 'allowed')
  assert.is(ask([statement({ Principal: { AWS: USER } })]), 'allowed')
  assert.is(ask([statement({ Principal: { AWS: `${USER}2` } })]), 'unsaid')
  assert.is(ask([statement({ Principal: { AWS: 'arn:aws:iam::999922223333:root' } })]), 'unsaid')
  assert.is(ask([statement({ Principal: { Service: 's3.amazonaws.com' } })]), 'unsaid')
  assert.is(ask([statement({ Principal: '*' })]), 'allowed')
  assert.is(ask([statement()], { principal: { kind: 'anonymous' } }), 'unsaid')
  assert.is(ask([statement({ Principal: { AWS: '*' } })], { principal: { kind: 'anonymous' } }), 'allowed')
  const service = { kind: 'service', name: 's3.amazonaws.com' } as const
  assert.is(
    ask([statement({ Principal: { Service: 's3.amazonaws.com' } })], { principal: service }),
    'allowed',
  )
  assert.is(ask([statement()], { principal: service }), 'unsaid')
})

policies('hold for their action and their resource alone', () => {
  assert.is(ask([statement({ Action: 'lambda:GetFunction' })]), 'unsaid')
  assert.is(ask([statement({ Action: 'lambda:*' })]), 'allowed')
  assert.is(ask([statement({ Action: ['lambda:GetFunction', 'lambda:invokefunction'] })]), 'allowed')
  assert.is(ask([statement()], { resource: `${RESOURCE}:live` }), 'unsaid')
  assert.is(ask([statement({ Resource: `${RESOURCE}:*` })], { resource: `${RESOURCE}:live` }), 'allowed')
})

policies('forbid before they allow', () => {
  const deny = statement({ Effect: 'Deny', Principal: { AWS: USER } })
  assert.is(ask([statement(), deny]), 'denied')
  assert.is(ask([deny, statement()]), 'denied')
  assert.is(ask([statement({ Effect: 'Deny', Action: 'lambda:GetFunction' }), statement()]), 'allowed')
})

policies('hold under their conditions', () => {
  const when = (operator: string, key: string, value: unknown): PolicyStatement =>
    statement({ Condition: { [operator]: { [key]: value } } })
  const cases: [PolicyStatement, Record<string, string>, string][] = [
    [when('StringEquals', 'AWS:SourceAccount', '1'), { 'aws:sourceaccount': '1' }, 'allowed'],
    [when('StringEquals', 'AWS:SourceAccount', '1'), { 'aws:sourceaccount': '2' }, 'unsaid'],
    [when('StringEquals', 'AWS:SourceAccount', '1'), {}, 'unsaid'],
    [when('StringEquals', 'aws:PrincipalOrgID', 'o-a'), { 'aws:principalorgid': 'o-a' }, 'allowed'],
    [
      when('Bool', 'lambda:InvokedViaFunctionUrl', 'true'),
      { 'lambda:invokedviafunctionurl': 'true' },
      'allowed',
    ],
    [when('Bool', 'lambda:InvokedViaFunctionUrl', true), {}, 'unsaid'],
    [
      when('ArnLike', 'AWS:SourceArn', 'arn:aws:s3:::bucket*'),
      { 'aws:sourcearn': 'arn:aws:s3:::bucket-1' },
      'allowed',
    ],
    [when('ArnLike', 'AWS:SourceArn', 'arn:aws:*:::b'), { 'aws:sourcearn': 'arn:aws:s3:eu::b' }, 'unsaid'],
    [when('StringEquals', 'lambda:EventSourceToken', 't'), { 'lambda:eventsourcetoken': 't' }, 'allowed'],
    [when('StringNotEquals', 'aws:PrincipalOrgID', 'o-a'), { 'aws:principalorgid': 'o-a' }, 'unsaid'],
    [when('StringNotEquals', 'aws:PrincipalOrgID', 'o-a'), { 'aws:principalorgid': 'o-b' }, 'allowed'],
    [
      when('StringNotEquals', 'aws:PrincipalOrgID', ['o-a', 'o-b']),
      { 'aws:principalorgid': 'o-b' },
      'unsaid',
    ],
    [when('StringNotEquals', 'aws:PrincipalOrgID', 'o-a'), {}, 'allowed'],
    [when('StringEqualsIfExists', 'aws:PrincipalOrgID', 'o-a'), {}, 'allowed'],
    [when('StringEqualsIfExists', 'aws:PrincipalOrgID', 'o-a'), { 'aws:principalorgid': 'o-b' }, 'unsaid'],
    [
      when('ArnNotLike', 'AWS:SourceArn', 'arn:aws:s3:::b*'),
      { 'aws:sourcearn': 'arn:aws:s3:::c' },
      'allowed',
    ],
    [when('Null', 'aws:PrincipalOrgID', 'true'), {}, 'allowed'],
    [when('Null', 'aws:PrincipalOrgID', 'false'), {}, 'unsaid'],
    [when('StringLike', 'aws:PrincipalOrgID', 'o-*'), { 'aws:principalorgid': 'o-b' }, 'allowed'],
    [when('NumericLessThan', 'aws:Age', '1'), { 'aws:age': '0' }, 'unsaid'],
    [statement({ Condition: 'x' }), {}, 'unsaid'],
  ]
  for (const [one, context, verdict] of cases)
    assert.is(ask([one], { context }), verdict, JSON.stringify(one))
  const unknown = statement({ Effect: 'Deny', Condition: { NumericLessThan: { 'aws:Age': '1' } } })
  assert.is(ask([statement(), unknown]), 'denied')
})

policies.run()
