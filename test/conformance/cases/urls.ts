import {
  AddPermissionCommand,
  CreateFunctionUrlConfigCommand,
  GetFunctionCommand,
  type InvokeMode,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'

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
]

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
  const [id] = new URL(String(made['FunctionUrl'])).hostname.split('.')
  return `${run.service.lambent.httpUrl}/lambda-url/${id}/`
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
