import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  DeleteResourcePolicyCommand,
  InvokeCommand,
  PutResourcePolicyCommand,
  RemovePermissionCommand,
  type AddPermissionCommandInput,
  type LambdaClient,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NewKey } from '../../../runtime/keys/key-ring.ts'
import { failureOf, functionOf, startWithKeys, type RunningWithKeys } from './running.ts'
import { sign, type Wanted } from './signing.ts'

const urls = suite('who may call functions from outside')

const FORBIDDEN =
  'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html'
const FUNCTION = functionOf('echo', 'exports.handler = async (event) => event')

/** Makes the function with a URL and gives the URL's path. */
async function withUrl(
  client: LambdaClient,
  AuthType: 'NONE' | 'AWS_IAM',
  Qualifier?: string,
): Promise<string> {
  await client.send(new CreateFunctionCommand({ ...FUNCTION, Publish: true }))
  if (Qualifier !== undefined)
    await client.send(new CreateAliasCommand({ FunctionName: 'echo', Name: Qualifier, FunctionVersion: '1' }))
  const made = await client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName: 'echo', AuthType, Qualifier }),
  )
  return `/lambda-url/${new URL(made.FunctionUrl ?? '').hostname.split('.')[0]}/a/b`
}

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: Record<string, unknown>
}

async function call(
  running: RunningWithKeys,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(running.lambent.urls.ingress + path, { headers })
  return {
    status: response.status,
    type: response.headers.get('x-amzn-errortype'),
    body: (await response.json()) as Record<string, unknown>,
  }
}

/** A GET that is signed for the ingress port. */
async function signedCall(
  running: RunningWithKeys,
  path: string,
  { keyId, secret }: Pick<NewKey, 'keyId' | 'secret'>,
  more: Partial<Wanted> = {},
): Promise<Answer> {
  const host = new URL(running.lambent.urls.ingress).host
  const wanted = { method: 'GET', path, keyId, secret, atMs: Date.now(), headers: { host }, ...more }
  const { url, rawHeaders } = await sign(wanted)
  const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : []))
  return call(running, url, Object.fromEntries(pairs.filter(([name]) => name !== 'host')))
}

const grant = (client: LambdaClient, more: Partial<AddPermissionCommandInput>) =>
  client.send(
    new AddPermissionCommand({
      FunctionName: 'echo',
      StatementId: String(more.Action).replace(':', '-'),
      Action: 'lambda:InvokeFunctionUrl',
      Principal: '*',
      ...more,
    }),
  )

urls('AWS_IAM takes signatures of our keys, and tells the function whose', async () => {
  await using running = await startWithKeys()
  const path = await withUrl(running.client(await running.key()), 'AWS_IAM')
  const ada = await running.key({ name: 'ada', scopes: ['invoke:ec*'], organization: 'o-abcdefghij' })
  const reader = await running.key({ scopes: ['read'] })
  const stranger = await running.key({ account: '111122223333', scopes: ['invoke'] })

  const { status, body } = await signedCall(running, path, ada)
  const context = body['requestContext'] as Record<string, unknown>

  assert.is(status, 200)
  assert.is(context['accountId'], '000000000000')
  assert.equal(context['authorizer'], {
    iam: {
      accessKey: ada.keyId,
      accountId: '000000000000',
      callerId: `AIDA${ada.keyId.slice(4)}`,
      cognitoIdentity: null,
      principalOrgId: 'o-abcdefghij',
      userArn: 'arn:aws:iam::000000000000:user/ada',
      userId: `AIDA${ada.keyId.slice(4)}`,
    },
  })
  const otherHost = await signedCall(running, path, ada, { expiresSeconds: 60, headers: {} })
  assert.is(otherHost.status, 403)
  const forged = await signedCall(running, path, { ...ada, secret: 'x' })
  assert.equal([forged.status, forged.type], [403, 'InvalidSignatureException'])
  const elsewhere = await signedCall(running, path, ada, { region: 'eu-west-1' })
  assert.match(String(elsewhere.body['message']), 'scoped to a valid region')
  const bearing = await call(running, path, { authorization: `Bearer ${ada.token}` })
  for (const answer of [
    await call(running, path),
    bearing,
    await signedCall(running, path, reader),
    await signedCall(running, path, stranger),
  ])
    assert.equal(answer, { status: 403, type: 'AccessDeniedException', body: { Message: FORBIDDEN } })
})

urls('an open engine asks at AWS_IAM all the same', async () => {
  await using running = await startWithKeys({ auth: 'open' })
  const path = await withUrl(running.client({ keyId: 'test', secret: 'test' }), 'AWS_IAM')
  const key = await running.key({ scopes: ['invoke'] })

  assert.is((await call(running, path)).status, 403)
  assert.is(
    (await signedCall(running, path, { keyId: 'test', secret: 'test' })).type,
    'UnrecognizedClientException',
  )
  assert.is((await signedCall(running, path, key)).status, 200)
})

urls('a route that asks for AWS_IAM takes signatures for API Gateway', async () => {
  await using running = await startWithKeys()
  const admin = await running.key()
  await running.client(admin).send(new CreateFunctionCommand(FUNCTION))
  const put = await fetch(`${running.api}/lambent/v1/routes`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      source: 'test',
      routes: [{ route: 'GET /pets', function: 'echo', authorizer: { type: 'iam' } }],
    }),
  })
  assert.is(put.status, 200, await put.text())
  const key = await running.key({ name: 'ada', scopes: ['invoke'] })

  const { status, body } = await signedCall(running, '/pets', key, { service: 'execute-api' })
  const context = body['requestContext'] as { authorizer: { iam: { userArn: string } } }

  assert.is(status, 200)
  assert.is(context.authorizer.iam.userArn, 'arn:aws:iam::000000000000:user/ada')
  assert.is((await signedCall(running, '/pets', key)).status, 403) // signed for Lambda
  assert.equal((await call(running, '/pets')).body, { message: 'Forbidden' })
})

urls('NONE takes everybody with keys; with policies it needs both grants', async () => {
  await using keyed = await startWithKeys()
  assert.is((await call(keyed, await withUrl(keyed.client(await keyed.key()), 'NONE'))).status, 200)

  await using running = await startWithKeys({ auth: 'policies' })
  const client = running.client(await running.key())
  const path = await withUrl(client, 'NONE', 'live')
  const refused = { status: 403, type: 'AccessDeniedException', body: { Message: FORBIDDEN } }

  assert.equal(await call(running, path), refused)
  await grant(client, { Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE', Qualifier: 'live' })
  assert.equal(await call(running, path), refused)
  await grant(client, { Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true, Qualifier: 'live' })
  assert.is((await call(running, path)).status, 200)
  await client.send(
    new RemovePermissionCommand({
      FunctionName: 'echo',
      StatementId: 'lambda-InvokeFunctionUrl',
      Qualifier: 'live',
    }),
  )
  assert.equal(await call(running, path), refused)
  await grant(client, {
    Action: 'lambda:InvokeFunctionUrl',
    FunctionUrlAuthType: 'AWS_IAM',
    Qualifier: 'live',
  })
  assert.equal(await call(running, path), refused)
})

urls('with policies another account gets in where both sides allow it', async () => {
  await using running = await startWithKeys({ auth: 'policies' })
  const client = running.client(await running.key())
  const path = await withUrl(client, 'AWS_IAM')
  const other = await running.key({
    account: '111122223333',
    name: 'bob',
    scopes: ['invoke'],
    organization: 'o-abcdefghij',
  })
  const FunctionName = 'arn:aws:lambda:us-east-1:000000000000:function:echo'
  const invoke = () => running.client(other).send(new InvokeCommand({ FunctionName }))

  const before = await failureOf(invoke())
  assert.is(before.name, 'AccessDeniedException')
  assert.is(
    before.message,
    `User: arn:aws:iam::111122223333:user/bob is not authorized to perform: lambda:InvokeFunction on resource: ${FunctionName} because no resource-based policy allows the lambda:InvokeFunction action`,
  )
  const Principal = '111122223333'
  await grant(client, {
    StatementId: 'org',
    Action: 'lambda:InvokeFunction',
    Principal,
    PrincipalOrgID: 'o-zzzzzzzzzz',
  })
  assert.is((await failureOf(invoke())).name, 'AccessDeniedException')
  await grant(client, {
    StatementId: 'own',
    Action: 'lambda:InvokeFunction',
    Principal,
    PrincipalOrgID: 'o-abcdefghij',
  })
  assert.is((await failureOf(invoke())).name, '')
  assert.is((await signedCall(running, path, other)).status, 403)
  await grant(client, { Action: 'lambda:InvokeFunctionUrl', Principal, FunctionUrlAuthType: 'AWS_IAM' })
  const { status, body } = await signedCall(running, path, other)
  assert.is(status, 200)
  assert.is((body['requestContext'] as { accountId: string }).accountId, '111122223333')
  const policy = {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'notMe',
        Effect: 'Deny',
        Principal: { AWS: 'arn:aws:iam::000000000000:user/mallory' },
        Action: 'lambda:InvokeFunction',
        Resource: FunctionName,
      },
    ],
  }
  await client.send(
    new PutResourcePolicyCommand({ ResourceArn: FunctionName, Policy: JSON.stringify(policy) }),
  )
  const mallory = await running.key({ name: 'mallory', scopes: ['invoke'] })
  const refused = await failureOf(running.client(mallory).send(new InvokeCommand({ FunctionName })))
  assert.match(refused.message, 'with an explicit deny in a resource-based policy')
  assert.is((await signedCall(running, path, mallory)).status, 403)
  assert.is((await failureOf(client.send(new InvokeCommand({ FunctionName })))).name, '')
  const all = { ...policy.Statement[0], Principal: '*', Action: 'lambda:*' }
  const closed = JSON.stringify({ ...policy, Statement: [all] })
  await client.send(new PutResourcePolicyCommand({ ResourceArn: FunctionName, Policy: closed }))
  assert.match((await failureOf(client.send(new InvokeCommand({ FunctionName })))).message, 'explicit deny')
  await client.send(new DeleteResourcePolicyCommand({ ResourceArn: FunctionName }))
  assert.is((await failureOf(client.send(new InvokeCommand({ FunctionName })))).name, '')
  const reader = await running.key({ account: '111122223333', scopes: ['read'] })
  const unable = await failureOf(running.client(reader).send(new InvokeCommand({ FunctionName })))
  assert.match(unable.message, 'no identity-based policy')
})

urls.run()
