import { request } from 'node:http'
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionUrlConfigCommand,
  DeleteAliasCommand,
  GetFunctionCommand,
  PublishVersionCommand,
  type InvokeMode,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { ACCOUNT, REGION, Service } from '../service.ts'

/** What handlers return, by the recorded case's parameter. */
const RETURNS: Readonly<Record<string, unknown>> = {
  dict: { hello: 'world' },
  'http-response': { statusCode: 200, body: 'body123' },
  'list-mixed': ['hello', 3, true],
  string: 'hello',
  integer: 3,
  float: 3.1,
}

const PREFIX = 'lambda::TestLambdaURL::'

/** Function URLs, open to all, and what they answer. */
export const URL_CASES: readonly Case[] = [
  ...Object.entries(RETURNS).map(([name, returned]) => ({
    recording: `${PREFIX}test_lambda_url_invocation[${name}]`,
    script: async (run: CaseRun) => {
      await run.create({ source: `exports.handler = async () => (${JSON.stringify(returned)})` })
      await called(run, await opened(run))
    },
  })),
  ...[undefined, 'BUFFERED' as const].map((mode) => ({
    recording: `${PREFIX}test_lambda_url_echo_invoke[${mode ?? 'None'}]`,
    script: async (run: CaseRun) => {
      await run.create()
      await opened(run, mode)
    },
  })),
  {
    recording: `${PREFIX}test_lambda_url_invocation_exception`,
    script: async (run) => {
      await run.create()
      await run.record('get_fn_result', new GetFunctionCommand({ FunctionName: run.name }))
      await opened(run)
    },
  },
  { recording: `${PREFIX}test_lambda_url_echo_http_fixture_default`, script: echoed },
  { recording: `${PREFIX}test_lambda_url_persists_after_alias_delete`, script: aliasDeleted },
  { recording: 'lambda::TestRequestIdHandling::test_request_id_invoke_url', script: requestId },
  {
    recording: 'lambda::TestLambdaPermissions::test_lambda_permission_url_invocation',
    script: async (run) => {
      // Policies are asked only where the engine is told to ask them.
      await using service = await Service.startWithPolicies()
      const strict = run.on(service)
      await strict.create({ source: `exports.handler = async () => ({})` })
      const url = new CreateFunctionUrlConfigCommand({ FunctionName: run.name, AuthType: 'NONE' })
      const response = await fetch(addressOf(strict, await strict.send(url)))
      run.compare('lambda_url_invocation_missing_permission', await bodyOf(response))
    },
  },
]

/** What the recorded function said of a request, in JavaScript. */
const SAYS_WHAT_IT_WAS_SENT = `exports.handler = async (event) => ({
  args: event.queryStringParameters ?? {},
  data: JSON.parse(event.body),
  domain: event.requestContext.domainName,
  headers: event.headers,
  method: event.requestContext.http.method,
  origin: event.requestContext.http.sourceIp,
  path: event.rawPath,
})`

async function echoed(run: CaseRun): Promise<void> {
  await run.create({ source: SAYS_WHAT_IT_WAS_SENT })
  const url = new CreateFunctionUrlConfigCommand({ FunctionName: run.name, AuthType: 'NONE' })
  const address = new URL(addressOf(run, await run.send(url)))
  const headers = {
    accept: '*/*',
    'accept-encoding': 'gzip, deflate',
    'content-type': 'application/json',
    'content-length': '14',
    'ExTrA-HeadErs': 'With WeiRd CapS',
    'user-agent': 'test/echo',
  }
  // fetch would add headers of its own and mend the broken escape
  const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const { hostname, port, pathname } = address
    const path = `${pathname}pa2%Fth/1?q=query&multiQuery=foo&multiQuery=%2Fbar`
    const asked = request({ hostname, port, path, method: 'POST', headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      response.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>)) // the function's own
    })
    asked.on('error', reject).end('{"foo": "bar"}')
  })
  run.compare('url_response', answer)
}

async function aliasDeleted(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create({ source: `exports.handler = async () => ({ statusCode: 200, body: '' })` })
  const { Version } = await run.send(new PublishVersionCommand({ FunctionName }))
  const Name = 'live'
  await run.send(new CreateAliasCommand({ FunctionName, Name, FunctionVersion: String(Version) }))
  const url = { FunctionName, Qualifier: Name, AuthType: 'NONE', InvokeMode: 'BUFFERED' } as const
  const made = await run.record('create_lambda_url_config', new CreateFunctionUrlConfigCommand(url))
  const address = addressOf(run, made)
  run.compare('invoke_aliased_url_response', { status_code: (await fetch(address)).status })
  await run.record('delete_alias_resp', new DeleteAliasCommand({ FunctionName, Name }))
  const after = await fetch(address)
  run.compare('invoke_deleted_alias_url_response_delayed', {
    content: await bodyOf(after),
    headers: { 'x-amzn-ErrorType': after.headers.get('x-amzn-errortype') },
    status_code: after.status,
  })
}

async function requestId(run: CaseRun): Promise<void> {
  await run.create({ source: `exports.handler = async () => 'hi'` })
  const response = await fetch(await opened(run))
  const id = response.headers.get('x-amzn-requestid')
  run.compare('lambda_url_invocation', {
    content: await response.text(),
    headers: { 'x-amzn-RequestId': id },
    statuscode: response.status,
  })
  const query = new URLSearchParams({ account: ACCOUNT, region: REGION, requestId: String(id), grep: 'END' })
  const logs = `${run.service.lambent.url}/lambent/v1/functions/${run.name}/logs?${query}`
  const { lines } = (await (await fetch(logs)).json()) as { lines: { message: string }[] }
  run.compare(
    'end_log_entries',
    lines.map(({ message }) => message.trimEnd()),
  )
}

const bodyOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown> // an object in every recording

/** The path form of a URL, which every resolver knows. */
function addressOf(run: CaseRun, made: Readonly<Record<string, unknown>>): string {
  const [id] = new URL(String(made['FunctionUrl'])).hostname.split('.')
  return `${run.service.lambent.httpUrl}/lambda-url/${id}/`
}

/** Makes the URL, lets everybody use it, and gives it in the form that every resolver knows. */
async function opened(run: CaseRun, InvokeMode?: InvokeMode): Promise<string> {
  const FunctionName = run.name
  const url = { FunctionName, AuthType: 'NONE' as const, ...(InvokeMode === undefined ? {} : { InvokeMode }) }
  const made = await run.record('create_lambda_url_config', new CreateFunctionUrlConfigCommand(url))
  const { Statement, ...rest } = await run.send(
    new AddPermissionCommand({
      FunctionName,
      StatementId: 'urlPermission',
      Action: 'lambda:InvokeFunctionUrl',
      Principal: '*',
      FunctionUrlAuthType: 'NONE',
    }),
  )
  run.compare('add_permission', { Statement: JSON.parse(String(Statement)) as unknown, ...rest })
  return addressOf(run, made)
}

/** The body as the recording shows it: JSON where it is an object. */
async function called(run: CaseRun, url: string): Promise<void> {
  const response = await fetch(url)
  const body = await response.text()
  run.compare('lambda_url_invocation', {
    content: body.startsWith('{') ? (JSON.parse(body) as unknown) : body,
    headers: {
      'Content-Length': response.headers.get('content-length'),
      'Content-Type': response.headers.get('content-type'),
    },
    statuscode: response.status,
  })
}
