import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionCommand,
  GetPolicyCommand,
  RemovePermissionCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, type Refusal, type TestApi, type TestApiOptions } from './start-api.ts'

const policies = suite('Lambda API: policies')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const FunctionName = 'orders'
const HERE = { account: '000000000000', region: 'us-east-1' }
const refused = (name: string, status: number, message: string): Refusal => ({ name, message, status })

/** An API with an active function, its version 1 and the alias `live`. */
async function startWithAlias(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: true }))
  await within('a settled function', api.registry.ready(HERE, FunctionName))
  await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
  return api
}

const S3 = {
  FunctionName,
  StatementId: 's3',
  Action: 'lambda:InvokeFunction',
  Principal: 's3.amazonaws.com',
  SourceArn: 'arn:aws:s3:::bucket',
}

policies('a policy grows and shrinks by statements, for each qualifier its own', async () => {
  await using api = await startWithAlias()

  const added = await api.client.send(new AddPermissionCommand(S3))
  const policy = await api.client.send(new GetPolicyCommand({ FunctionName }))
  await api.client.send(new AddPermissionCommand({ ...S3, Qualifier: 'live' }))
  const ofAlias = await api.client.send(new GetPolicyCommand({ FunctionName, Qualifier: 'live' }))
  await api.client.send(
    new AddPermissionCommand({ ...S3, StatementId: 's3_2', RevisionId: policy.RevisionId }),
  )
  const grown = await api.client.send(new GetPolicyCommand({ FunctionName }))
  const stale = await refusalOf(
    api.client.send(new AddPermissionCommand({ ...S3, StatementId: 's3_3', RevisionId: policy.RevisionId })),
  )
  for (const StatementId of ['s3', 's3_2'])
    await api.client.send(new RemovePermissionCommand({ FunctionName, StatementId }))
  const gone = await refusalOf(api.client.send(new GetPolicyCommand({ FunctionName })))

  const statement = {
    Sid: 's3',
    Effect: 'Allow',
    Principal: { Service: 's3.amazonaws.com' },
    Action: 'lambda:InvokeFunction',
    Resource: ARN,
    Condition: { ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::bucket' } },
  }
  assert.is(added.$metadata.httpStatusCode, 201)
  assert.is(added.Statement, JSON.stringify(statement))
  assert.is(policy.Policy, JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: [statement] }))
  assert.is(JSON.parse(ofAlias.Policy ?? '').Statement[0].Resource, `${ARN}:live`)
  assert.is(JSON.parse(grown.Policy ?? '').Statement.length, 2)
  assert.is.not(grown.RevisionId, policy.RevisionId)
  assert.equal(
    stale,
    refused(
      'PreconditionFailedException',
      412,
      'The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id',
    ),
  )
  assert.equal(gone, refused('ResourceNotFoundException', 404, 'The resource you requested does not exist.'))
})

policies('a statement carries every condition that was asked for', async () => {
  await using api = await startWithAlias()

  const { Statement } = await api.client.send(
    new AddPermissionCommand({
      FunctionName,
      StatementId: 'all',
      Action: 'lambda:InvokeFunctionUrl',
      Principal: '*',
      SourceAccount: '111111111111',
      FunctionUrlAuthType: 'NONE',
      PrincipalOrgID: 'o-1234567890',
      EventSourceToken: 'token',
    }),
  )

  const { Principal, Condition } = JSON.parse(Statement ?? '')
  assert.is(Principal, '*')
  assert.equal(Condition, {
    StringEquals: {
      'lambda:FunctionUrlAuthType': 'NONE',
      'AWS:SourceAccount': '111111111111',
      'aws:PrincipalOrgID': 'o-1234567890',
      'lambda:EventSourceToken': 'token',
    },
  })
})

const QUALIFIER = String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`
const REFUSED_PERMISSIONS: readonly [change: object, Refusal][] = [
  [
    { StatementId: 'example.com' },
    refused(
      'ValidationException',
      400,
      "1 validation error detected: Value 'example.com' at 'statementId' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)',
    ),
  ],
  [
    { FunctionName: `${FunctionName}:alias-not-42`, Qualifier: '42' },
    refused(
      'InvalidParameterValueException',
      400,
      'The derived qualifier from the function name does not match the specified qualifier.',
    ),
  ],
  [
    { Qualifier: '$LATEST' },
    refused(
      'InvalidParameterValueException',
      400,
      'We currently do not support adding policies for $LATEST.',
    ),
  ],
  [
    { Principal: 'nobody.nowhere' },
    refused(
      'InvalidParameterValueException',
      400,
      'The provided principal was invalid. Please check the principal and try again.',
    ),
  ],
  [
    { FunctionName: 'doesnotexist' },
    refused('ResourceNotFoundException', 404, `Function not found: ${ARN.replace('orders', 'doesnotexist')}`),
  ],
  [
    { Qualifier: 'alias-doesnotexist' },
    refused('ResourceNotFoundException', 404, `Cannot find alias arn: ${ARN}:alias-doesnotexist`),
  ],
  [{ Qualifier: '42' }, refused('ResourceNotFoundException', 404, `Function not found: ${ARN}:42`)],
  [
    { Qualifier: 'invalid-qualifier-with-?-char' },
    refused(
      'ValidationException',
      400,
      "1 validation error detected: Value 'invalid-qualifier-with-?-char' at 'qualifier' failed to satisfy " +
        `constraint: Member must satisfy regular expression pattern: ${QUALIFIER}`,
    ),
  ],
  [
    { Qualifier: 'valid-with-$-but-doesnotexist' },
    refused('ResourceNotFoundException', 404, `Function not found: ${ARN}:valid-with-$-but-doesnotexist`),
  ],
  [
    { StatementId: 'taken' },
    refused(
      'ResourceConflictException',
      409,
      'The statement id (taken) provided already exists. Please provide a new statement id, or remove the existing statement.',
    ),
  ],
]

policies('permissions that cannot be are refused in the words of the service', async () => {
  await using api = await startWithAlias()
  await api.client.send(new AddPermissionCommand({ ...S3, StatementId: 'taken' }))

  for (const [change, expected] of REFUSED_PERMISSIONS)
    assert.equal(await refusalOf(api.client.send(new AddPermissionCommand({ ...S3, ...change }))), expected)
})

policies('removing what is not there says what is missing', async () => {
  await using api = await startWithAlias()
  const remove = (change: object): Promise<Refusal> =>
    refusalOf(api.client.send(new RemovePermissionCommand({ FunctionName, StatementId: 's3', ...change })))

  assert.is((await remove({})).message, 'No policy is associated with the given resource.')
  assert.is(
    (await remove({ FunctionName: 'doesnotexist' })).message,
    `No policy found for: ${ARN.replace('orders', 'doesnotexist')}`,
  )
  assert.is(
    (await remove({ Qualifier: 'alias-doesnotexist' })).message,
    `Cannot find alias arn: ${ARN}:alias-doesnotexist`,
  )
  await api.client.send(new AddPermissionCommand(S3))
  assert.is(
    (await remove({ StatementId: 'other' })).message,
    'Statement other is not found in resource policy.',
  )
})

policies.run()
