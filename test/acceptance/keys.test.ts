import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { CLIENT_ENVIRONMENT, isInstalled, runProgram } from './programs.ts'

/** AWS's own clients with a key, against an engine that asks for keys and speaks TLS. */
const clients = suite('AWS’s clients with keys')

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const CA = place('../adapters/auth/tls/ca.pem')
const TLS = [
  '--tls-cert',
  place('../adapters/auth/tls/server.pem'),
  '--tls-key',
  place('../adapters/auth/tls/server-key.pem'),
]
const ECHO = 'exports.handler = async (event) => event'

/** The variables of the first key. */
function firstKey({ data }: RunningLambent): Record<string, string> {
  const text = readFileSync(join(data, 'first-key'), 'utf8')
  return Object.fromEntries(
    [...text.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
  )
}

const hasBoto = isInstalled('python3') && (await runProgram('python3', ['-c', 'import boto3'])).code === 0
const hasCli = isInstalled('aws')

for (const tls of [false, true]) {
  const how = tls ? 'over TLS' : 'in the clear'
  const test = unlessMissing(clients, hasBoto ? undefined : 'boto3 is not installed')
  test(`boto3 signs requests, URLs and presigned URLs ${how}`, async () => {
    await using lambent = await startLambent({ argv: ['--auth', 'keys', ...(tls ? TLS : [])] })
    const env = { ...CLIENT_ENVIRONMENT, ...firstKey(lambent), NODE_EXTRA_CA_CERTS: CA, AWS_CA_BUNDLE: CA }
    const cli = (...words: string[]) =>
      runProgram(process.execPath, [place('../../dist/lambent.js'), ...words, '--endpoint', lambent.url], {
        env,
      })
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const answer = await runProgram(
        process.execPath,
        ['-e', REQUEST, method, lambent.url + path, JSON.stringify(body)],
        { env },
      )
      assert.is(answer.code, 0, answer.stderr)
      return JSON.parse(answer.stdout) as Record<string, unknown>
    }
    await call('POST', '/2015-03-31/functions', {
      FunctionName: 'echo',
      Role: 'arn:aws:iam::000000000000:role/any',
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Tags: { team: 'shop' },
      Code: { ZipFile: (await zipOf({ 'index.js': ECHO })).toString('base64') },
    })
    const made = await call('POST', '/2021-10-31/functions/echo/url', { AuthType: 'AWS_IAM' })
    const [id] = new URL(String(made['FunctionUrl'])).hostname.split('.')

    const { code, stdout, stderr } = await runProgram(
      'python3',
      [place('keys-boto.py'), lambent.url, `${lambent.httpUrl}/lambda-url/${id}/`, tls ? CA : ''],
      { env, limitMs: 60_000 },
    )

    assert.is(code, 0, stderr)
    assert.equal(JSON.parse(stdout), {
      echo: { text: 'grüße & a+b/c' },
      log: true,
      functions: ['echo'],
      tags: { team: 'shop' },
      identity: 'arn:aws:iam::000000000000:user/first',
      forged: 'InvalidSignatureException',
      iam: [200, '{"n":1}', 'x=1&y=a%20b&x=0'],
      presigned: 200,
      forged_query: 403,
    })
    assert.is((await cli('invoke', 'echo', '-p', '{"a":1}')).stdout.trim(), '{"a":1}')
  })
}

unlessMissing(clients, hasCli ? undefined : 'the AWS CLI is not installed')(
  'the AWS CLI lists with a key, and is refused with another, in AWS’s words',
  async () => {
    await using lambent = await startLambent({ argv: ['--auth', 'keys'] })
    const aws = (env: Record<string, string>) =>
      runProgram('aws', ['--endpoint-url', lambent.url, 'lambda', 'list-functions'], {
        env: { ...CLIENT_ENVIRONMENT, ...env },
        limitMs: 60_000,
      })

    const listed = await aws(firstKey(lambent))
    const refused = await aws({})

    assert.is(listed.code, 0, listed.stderr)
    assert.equal(JSON.parse(listed.stdout), { Functions: [] })
    assert.match(
      refused.stderr,
      'An error occurred (UnrecognizedClientException) when calling the ListFunctions operation: The security token included in the request is invalid.',
    )
  },
)

/** A request with the bearer token of the environment, in a process that trusts the test's authority. */
const REQUEST = `
const [method, url, body] = process.argv.slice(1)
fetch(url, { method, body, headers: { authorization: 'Bearer ' + process.env.LAMBENT_KEY } }).then(async (response) => {
  console.log(await response.text())
  process.exitCode = response.ok ? 0 : 1
})`

clients.run()
