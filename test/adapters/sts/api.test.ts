import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createStsApi } from '../../../adapters/sts/api.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { createFakeClock } from '../../support/clock.ts'

/** Calls one action as SDKs do: a form in the body. */
function createCaller(keyId = 'test') {
  const app = createStsApi({ clock: createFakeClock(), rng: systemRng() })
  return async (action: string, parameters: Record<string, string> = {}) => {
    const response = await app.request('http://localhost:4700/', {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        authorization: `AWS4-HMAC-SHA256 Credential=${keyId}/20260102/us-east-1/iam/aws4_request, Signature=0`,
      },
      body: new URLSearchParams({ Action: action, Version: '2010-05-08', ...parameters }).toString(),
    })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
}

const POLICY = '{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}]}'
const sts = suite('sts and roles')

sts('callers are who their key id says', async () => {
  const anyone = await createCaller()('GetCallerIdentity')
  const account = await createCaller('123456789012')('GetCallerIdentity')

  assert.is(anyone.status, 200)
  assert.is(anyone.headers.get('content-type'), 'text/xml')
  assert.match(anyone.text, 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"')
  assert.match(anyone.text, '<GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:root</Arn>')
  assert.match(account.text, '<Account>123456789012</Account>')
})

sts('a role is there from its creation to its deletion', async () => {
  const call = createCaller()
  const role = { RoleName: 'runner', AssumeRolePolicyDocument: POLICY }

  const missing = await call('GetRole', { RoleName: 'runner' })
  const made = await call('CreateRole', { ...role, 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': '<b>' })
  const again = await call('CreateRole', role)
  const found = await call('GetRole', { RoleName: 'runner' })
  await call('DeleteRole', { RoleName: 'runner' })
  const gone = await call('GetRole', { RoleName: 'runner' })

  assert.is(missing.status, 404)
  assert.match(missing.text, '<Code>NoSuchEntity</Code>')
  assert.is(made.status, 200)
  assert.match(made.text, '<Arn>arn:aws:iam::000000000000:role/runner</Arn>')
  assert.match(made.text, '<CreateDate>2026-01-02T03:04:05Z</CreateDate>')
  assert.match(made.text, '<Tags><member><Key>a</Key><Value>&lt;b&gt;</Value></member></Tags>')
  assert.is(again.status, 409)
  assert.match(again.text, '<Code>EntityAlreadyExists</Code>')
  assert.match(found.text, encodeURIComponent(POLICY))
  assert.is(gone.status, 404)
})

sts('policies are attached, listed and detached', async () => {
  const call = createCaller()
  const RoleName = 'runner'
  const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
  await call('CreateRole', { RoleName, AssumeRolePolicyDocument: POLICY })

  await call('AttachRolePolicy', { RoleName, PolicyArn })
  await call('PutRolePolicy', { RoleName, PolicyName: 'inline', PolicyDocument: POLICY })
  const attached = await call('ListAttachedRolePolicies', { RoleName })
  const inline = await call('ListRolePolicies', { RoleName })
  await call('DetachRolePolicy', { RoleName, PolicyArn })
  const detached = await call('ListAttachedRolePolicies', { RoleName })

  assert.match(attached.text, '<PolicyName>AWSLambdaBasicExecutionRole</PolicyName>')
  assert.match(inline.text, '<PolicyNames><member>inline</member></PolicyNames>')
  assert.not.match(detached.text, 'AWSLambdaBasicExecutionRole')
})

sts('what is not built is refused by name', async () => {
  const call = createCaller()
  const app = createStsApi({ clock: createFakeClock(), rng: systemRng() })

  const unknown = await call('CreateUser', { UserName: 'a' })
  const nothing = await call('')
  const incomplete = await call('CreateRole')
  const other = await app.request('http://localhost:4700/', {
    method: 'POST',
    headers: { 'x-amz-target': 'Logs_20140328.DescribeLogGroups' },
    body: '{}',
  })

  assert.is(unknown.status, 400)
  assert.match(unknown.text, '<Code>InvalidAction</Code><Message>The action CreateUser is not built.')
  assert.is(nothing.status, 400)
  assert.match(incomplete.text, '<Code>ValidationError</Code><Message>RoleName is missing.')
  assert.is(other.status, 501)
  assert.match(await other.text(), 'UnknownOperationException')
})

sts.run()
