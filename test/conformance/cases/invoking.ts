import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  type InvocationType,
  type Runtime,
} from '@aws-sdk/client-lambda'
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
      ['request_response[python3.9]', 'RequestResponse'],
      ['event[python3.9]', 'Event'],
      ['dry_run[python3.9]', 'DryRun'],
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
  { recording: 'lambda::TestLambdaFeatures::test_invocation_with_qualifier', script: withQualifier },
  { recording: 'lambda::TestLambdaBehavior::test_lambda_invoke_with_timeout', script: timeout },
  {
    recording: 'lambda::TestLambdaBehavior::test_lambda_invoke_timed_out_environment_reuse',
    script: environmentReuse,
  },
  { recording: 'lambda::TestLambdaConcurrency::test_reserved_concurrency_async_queue', script: throttled },
  ...['nodejs16.x', 'nodejs20.x', 'nodejs22.x', 'nodejs24.x'].map((runtime) => wrapped(runtime)),
  { recording: 'lambda::TestRequestIdHandling::test_request_id_invoke', script: requestId },
  { recording: 'lambda::TestLambdaBaseFeatures::test_lambda_too_large_response', script: tooLarge },
  ...['nodejs22.x', 'nodejs16.x'].map((runtime) => ({
    recording: `lambda_common::TestLambdaRuntimesCommon::test_uncaught_exception_invoke[${runtime}]`,
    script: uncaught,
  })),
]

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

async function withQualifier(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const source = `exports.handler = async (event, context) => {
    console.log('Lambda log message - logging module')
    return { event, context: { invoked_function_arn: context.invokedFunctionArn,
      function_version: context.functionVersion, function_name: context.functionName,
      memory_limit_in_mb: context.memoryLimitInMB, aws_request_id: context.awsRequestId,
      log_group_name: context.logGroupName, log_stream_name: context.logStreamName, client_context: null } }
  }`
  const creation = { Timeout: 10, Environment: undefined, Publish: true, source }
  await run.record('creation-response', await run.creation(creation))
  await run.ready()
  await run.ready(FunctionName, '1')
  const Payload = JSON.stringify({ foo: `bar with 'quotes"` })
  const command = new InvokeCommand({ FunctionName, Payload, Qualifier: '1', LogType: 'Tail' })
  await run.record('invocation-response', command)
}

async function timeout(run: CaseRun): Promise<void> {
  const source = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 5000))'
  await run.record('create-result', await run.creation({ Timeout: 1, source }))
  await run.ready()
  await run.record('invoke-result', new InvokeCommand({ FunctionName: run.name }))
}

async function environmentReuse(run: CaseRun): Promise<void> {
  const source = `const { readFileSync, writeFileSync } = require('node:fs')
    let number = 0
    exports.handler = async (event) => {
      if (event.write) writeFileSync('/tmp/file.txt', event.write)
      if (event.read) return { content: readFileSync('/tmp/file.txt', 'utf8') }
      if (event.set) number = event.set
      if (event.get) return { number }
      if (event.sleep) await new Promise((resolve) => setTimeout(resolve, 5000))
      return null
    }`
  const invoke = async (entry: string, event: object): Promise<void> => {
    const command = new InvokeCommand({ FunctionName: run.name, Payload: JSON.stringify(event) })
    const answer = await run.send(command)
    // This case recorded a null as the text that it is.
    run.compare(entry, answer['Payload'] === null ? { ...answer, Payload: 'null' } : answer)
  }
  await run.record('create-result', await run.creation({ Timeout: 1, source }))
  await run.ready()
  await invoke('invoke-result-file-write', { write: 'some-content' })
  await invoke('invoke-result-file-read', { read: true })
  await invoke('invoke-result-set-number', { set: 42 })
  await invoke('invoke-result-read-number', { get: true })
  await invoke('invoke-result-timed-out', { sleep: true })
  await invoke('invoke-result-file-read-after-timeout', { read: true })
  await invoke('invoke-result-read-number-after-timeout', { get: true })
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

/** The lines of a log's tail with the parts that the recording replaces, replaced. */
async function requestId(run: CaseRun): Promise<void> {
  const source = `exports.handler = async (event, context) => {
    console.log('RequestId log message'); return context.awsRequestId }`
  await run.create({ source })
  const answer = await run.send(new InvokeCommand({ FunctionName: run.name, LogType: 'Tail' }))
  const { LogResult, Payload, ...rest } = answer
  run.compare('invoke_result', { ...rest, Payload: JSON.stringify(Payload) })
  const tail = Buffer.from(String(LogResult), 'base64').toString('utf8')
  const lines = tail.trimEnd().split('\n')
  // The one line that a runtime writes itself has another form in each of them.
  const own = lines.map((line) => line.replace(/^\S+Z\t(\S+)\tINFO\t/, '[INFO]\tdate\t$1\t').trimEnd())
  run.compare('log_entries', { logs: own })
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
