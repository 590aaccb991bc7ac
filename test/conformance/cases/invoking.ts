import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  type InvocationType,
  type Runtime,
} from '@aws-sdk/client-lambda'
import { zipOf } from '../../support/lambent.ts'
import type { Case, CaseRun } from '../case.ts'

/** Invocations and what they answer. */
export const INVOKE_CASES: readonly Case[] = [
  {
    recording: 'lambda::TestLambdaFeatures::test_invoke_exceptions',
    script: async (run) => {
      const command = new InvokeCommand({ FunctionName: 'doesnotexist', Payload: '{}' })
      await run.record('invoke_function_doesnotexist', command)
    },
  },
  ...(
    [
      ['request_response[nodejs16.x]', 'RequestResponse'],
      ['no_return_payload[nodejs-Event]', 'Event'],
    ] as const
  ).map(([name, type]) => invocationType(name, type)),
  {
    recording: String.raw`lambda::TestLambdaErrors::test_lambda_invoke_payload_encoding_error[body-n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt]`,
    script: (run) => notJson(run, 'body', 'n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt'),
  },
  {
    recording: String.raw`lambda::TestLambdaErrors::test_lambda_invoke_payload_encoding_error[message-\x99\xeb,j\x07\xa1zYh]`,
    script: (run) => notJson(run, 'message', '\x99\xeb,j\x07\xa1zYh'),
  },
  { recording: 'lambda::TestLambdaConcurrency::test_reserved_concurrency_async_queue', script: throttled },
  ...['nodejs16.x', 'nodejs20.x', 'nodejs22.x', 'nodejs24.x'].map((runtime) => wrapped(runtime)),
  { recording: 'lambda::TestLambdaBaseFeatures::test_lambda_too_large_response', script: tooLarge },
  ...['nodejs22.x', 'nodejs16.x'].map((runtime) => ({
    recording: `lambda_common::TestLambdaRuntimesCommon::test_uncaught_exception_invoke[${runtime}]`,
    script: uncaught,
  })),
  ...['nodejs22.x', 'nodejs16.x'].map((runtime) => ({
    recording: `lambda_runtimes::TestNodeJSRuntimes::test_invoke_nodejs_es6_lambda[${runtime}]`,
    script: module,
  })),
]

/** An ES module by its extension, with a top-level await; the recorded one names its makers. */
async function module(run: CaseRun): Promise<void> {
  const source = `const name = await Promise.resolve('localstack')
    export const handler = async (event) => {
      const body = JSON.stringify(\`response from \${name} lambda: \${JSON.stringify(event)}\`)
      return { statusCode: 200, body }
    }`
  const Handler = 'lambda_handler_es6.handler'
  const ZipFile = await zipOf({ 'lambda_handler_es6.mjs': source })
  await run.record('creation-result', await run.creation({ Handler, Code: { ZipFile } }))
  await run.ready()
  const event = '{"event_type":"test_lambda"}'
  await run.record('invocation-result', new InvokeCommand({ FunctionName: run.name, Payload: event }))
}

function invocationType(name: string, InvocationType: InvocationType): Case {
  return {
    recording: `lambda::TestLambdaFeatures::test_invocation_type_${name}`,
    script: async (run) => {
      await run.create()
      const command = new InvokeCommand({ FunctionName: run.name, Payload: '{}', InvocationType })
      await run.record('invoke-result', command)
    },
  }
}

async function notJson(run: CaseRun, name: string, bytes: string): Promise<void> {
  await run.create()
  const Payload = Buffer.from(bytes, 'latin1')
  const command = new InvokeCommand({ FunctionName: run.name, Payload })
  await run.record(`invoke_function_invalid_payload_${name}`, command)
}

async function throttled(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const source = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 3000))'
  await run.create({ source })
  const get = new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '$LATEST' })
  await run.record('fn', get)
  const reserved = { FunctionName, ReservedConcurrentExecutions: 1 }
  await run.record('put_fn_concurrency', new PutFunctionConcurrencyCommand(reserved))
  const first = run.service.other().answer(new InvokeCommand({ FunctionName }))
  const answers = [run.service.other().answer(new InvokeCommand({ FunctionName })), first]
  // Whichever came second is refused at once; the other one is still asleep.
  run.compare('too_many_requests_exc', await Promise.race(answers))
  await Promise.all(answers)
}

function wrapped(runtime: string): Case {
  return {
    recording: `lambda_common::TestLambdaRuntimesCommon::test_runtime_wrapper_invoke[${runtime}]`,
    script: async (run) => {
      const Environment = { Variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/environment_wrapper' } }
      const Runtime = (runtime === 'nodejs16.x' ? 'nodejs22.x' : runtime) as Runtime
      const creation = await run.plainCreation({ Runtime, Environment, MemorySize: 1024 })
      await run.record('create_function_result', creation)
    },
  }
}

async function tooLarge(run: CaseRun): Promise<void> {
  const source = `exports.handler = async () => 'x'.repeat(7 * 1024 * 1024)`
  await run.create({ source })
  await run.record('invoke_result', new InvokeCommand({ FunctionName: run.name }))
  await run.record('invoke_result_2', new InvokeCommand({ FunctionName: run.name }))
}

async function uncaught(run: CaseRun): Promise<void> {
  const source = `exports.handler = async (event) => { throw new Error('Error: ' + event.error_msg) }`
  const creation = { source, MemorySize: 1024 }
  await run.record('create_function_result', await run.plainCreation(creation))
  await run.ready()
  const Payload = JSON.stringify({ error_msg: 'some_error_msg' })
  await run.record('error_result', new InvokeCommand({ FunctionName: run.name, Payload }))
}
