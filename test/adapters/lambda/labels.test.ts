import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { awsError } from '../../../adapters/lambda/errors.ts'
import { operationPath, parseFunctionLabel, parseNewFunctionName } from '../../../adapters/lambda/labels.ts'
import { scopeOf } from '../../../adapters/lambda/scope.ts'
import { EngineError } from '../../../runtime/errors.ts'

const labels = suite('Lambda API: labels and scope')

const HERE = { account: '111111111111', region: 'us-east-1' }
const ARN = 'arn:aws:lambda:us-east-1:111111111111:function:my-function'
const BEFORE = String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?`
const NAMESPACED = String.raw`${BEFORE}([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
const PLAIN = String.raw`${BEFORE}([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`
const QUALIFIER = String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`
const notMatching = (value: string, at: string, pattern: string): string =>
  `Value '${value}' at '${at}' failed to satisfy constraint: Member must satisfy regular expression pattern: ${pattern}`
const tooLong = (value: string, at: string, length: number): string =>
  `Value '${value}' at '${at}' failed to satisfy constraint: Member must have length less than or equal to ${length}`
const one = (violation: string): string => `1 validation error detected: ${violation}`
const two = (...violations: string[]): string => `2 validation errors detected: ${violations.join('; ')}`

/** What a label is refused with, as clients see it. */
function refusal(call: () => unknown): { name: string; message: string } {
  try {
    call()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { name, body } = awsError(error)
    return { name, message: body.message ?? body.Message ?? '' }
  }
  throw new Error('Expected a refusal, but the label was taken.')
}

const TAKEN: readonly [
  raw: string,
  query: string | undefined,
  name: string,
  qualifier: string | undefined,
][] = [
  ['my-function', undefined, 'my-function', undefined],
  ['my-function', '7', 'my-function', '7'],
  ['my-function:live', undefined, 'my-function', 'live'],
  ['my-function%3A%24LATEST', undefined, 'my-function', '$LATEST'],
  ['my-function:1', '1', 'my-function', '1'],
  ['111111111111:function:my-function', undefined, 'my-function', undefined],
  ['function:my-function:2', undefined, 'my-function', '2'],
  [encodeURIComponent(ARN), undefined, 'my-function', undefined],
  [`${ARN}:live`, undefined, 'my-function', 'live'],
  ['arn:aws:lambda:us-east-1:111111111111:function', undefined, 'function', undefined],
  ['my-function', '$latest', 'my-function', '$latest'],
]

labels('names and ARNs, encoded or not, lead to a function and a qualifier', () => {
  for (const [raw, query, functionName, qualifier] of TAKEN)
    assert.equal(parseFunctionLabel(raw, query, HERE), { functionName, qualifier }, raw)
})

const LONG = 'a'.repeat(129)
const REFUSED: readonly [raw: string, query: string | undefined, name: string, message: string][] = [
  ['*', undefined, 'ValidationException', one(notMatching('*', 'functionName', NAMESPACED))],
  ['my-function', 'invalid!', 'ValidationException', one(notMatching('invalid!', 'qualifier', QUALIFIER))],
  ['my-function', LONG, 'ValidationException', one(tooLong(LONG, 'qualifier', 128))],
  ...[
    'invalid-account:function:my-function',
    'arn:aws:lambda:invalid-region:111111111111:function:my-function',
    'arn:aws:ec2:us-east-1:111111111111:instance:i-1234567890abcdef0',
    'arn:aws:lambda::111111111111:function:my-function',
    'function:my-function:$LATEST:extra',
    `${ARN}:1:2`,
    `${ARN}:$LATES`,
    'arn:aws:lambda:us-east-1:123400000000@function:myfn',
  ].map((raw): [string, undefined, string, string] => [
    raw,
    undefined,
    'ValidationException',
    one(notMatching(raw, 'functionName', NAMESPACED)),
  ]),
  [
    'arn:aws:lambda:invalid-region:111111111111:function:f',
    LONG,
    'ValidationException',
    two(
      tooLong(LONG, 'qualifier', 128),
      notMatching('arn:aws:lambda:invalid-region:111111111111:function:f', 'functionName', NAMESPACED),
    ),
  ],
  [
    `${ARN}:$LATEST`,
    '1',
    'InvalidParameterValueException',
    'The derived qualifier from the function name does not match the specified qualifier.',
  ],
  [
    ARN.replace('us-east-1', 'eu-west-1'),
    undefined,
    'ResourceNotFoundException',
    "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
  ],
]

labels('what the service refuses is refused in its words', () => {
  for (const [raw, query, name, message] of REFUSED)
    assert.equal(
      refusal(() => parseFunctionLabel(raw, query, HERE)),
      { name, message },
      raw,
    )
})

labels('functions of another account are out of reach', () => {
  const { name } = refusal(() =>
    parseFunctionLabel(ARN.replace('111111111111', '222222222222'), undefined, HERE),
  )

  assert.is(name, 'AccessDeniedException')
})

labels('a new function may be named by its ARN, within two lengths', () => {
  const long = 'a'.repeat(65)
  const longArn = `${ARN}${'a'.repeat(140)}`

  assert.is(parseNewFunctionName(ARN, HERE), 'my-function')
  assert.is(parseNewFunctionName('my-function:1', HERE), 'my-function')
  assert.equal(
    refusal(() => parseNewFunctionName(long, HERE)),
    { name: 'InvalidParameterValueException', message: one(tooLong(long, 'functionName', 64)) },
  )
  assert.equal(
    refusal(() => parseNewFunctionName(longArn, HERE)),
    { name: 'ValidationException', message: one(tooLong(longArn, 'functionName', 140)) },
  )
  assert.equal(
    refusal(() => parseNewFunctionName('invalid:function:name', HERE)),
    {
      name: 'ValidationException',
      message: one(notMatching('invalid:function:name', 'functionName', PLAIN)),
    },
  )
  const both = longArn.replace('us-east-1', 'invalid-region')
  assert.equal(
    refusal(() => parseNewFunctionName(both, HERE)),
    {
      name: 'ValidationException',
      message: two(tooLong(both, 'functionName', 140), notMatching(both, 'functionName', PLAIN)),
    },
  )
})

labels('a region of any name takes its own ARNs back', () => {
  const here = { account: '000000000000', region: 'local' }

  assert.equal(parseFunctionLabel('arn:aws:lambda:local:000000000000:function:f:1', undefined, here), {
    functionName: 'f',
    qualifier: '1',
  })
})

labels('account and region come from the credential scope', () => {
  const signed = (credential: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`,
  })
  const nobody = { account: '000000000000', region: 'us-east-1' }

  assert.equal(scopeOf({}), nobody)
  assert.equal(scopeOf({ authorization: 'Bearer x' }), nobody)
  assert.equal(scopeOf(signed('AKID/20260102/eu-west-1/lambda/aws4_request')), {
    ...nobody,
    region: 'eu-west-1',
  })
  assert.equal(scopeOf(signed('123456789012/20260102/eu-west-1/lambda/aws4_request')), {
    account: '123456789012',
    region: 'eu-west-1',
  })
  assert.equal(
    scopeOf({}, 'a=b&X-Amz-Credential=123456789012%2F20260102%2Fap-south-1%2Flambda%2Faws4_request&c=d'),
    {
      account: '123456789012',
      region: 'ap-south-1',
    },
  )
  assert.is(
    scopeOf(signed('AKID/20260102/eu-west-1/lambda/aws4_request')),
    scopeOf(signed('other/20260103/eu-west-1/lambda/aws4_request')),
  )
})

labels('a base path and a last slash do not matter', () => {
  for (const [path, operation] of [
    ['/2015-03-31/functions', '/2015-03-31/functions'],
    ['/2015-03-31/functions/', '/2015-03-31/functions'],
    ['/a/b/2015-03-31/functions/f%2Fx', '/2015-03-31/functions/f%2Fx'],
    ['/else', '/else'],
    ['/', '/'],
  ] as const)
    assert.is(operationPath(path), operation)
})

labels.run()
