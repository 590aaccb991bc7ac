import { existsSync } from 'node:fs'
import { InvokeCommand, type InvocationType, type Runtime } from '@aws-sdk/client-lambda'
import type { ZippedFile } from '../../support/lambent.ts'
import type { Case, CaseRun } from '../case.ts'

const COMMON = 'lambda_common::TestLambdaRuntimesCommon::'
const FEATURES = 'lambda::TestLambdaFeatures::'
const BEHAVIOR = 'lambda::TestLambdaBehavior::'

const PYTHONS = ['/usr/bin/python3', '/usr/local/bin/python3', '/bin/python3']
/** Why functions in Python cannot be compared here. */
export const NO_PYTHON = PYTHONS.some((path) => existsSync(path)) ? undefined : 'there is no python3 in /usr'

/** Functions in the language that they were recorded in: Python. */
export const PYTHON_CASES: readonly Case[] = [
  { recording: `${FEATURES}test_invocation_with_qualifier`, script: withQualifier },
  { recording: `${BEHAVIOR}test_lambda_invoke_with_timeout`, script: timeout },
  { recording: `${BEHAVIOR}test_lambda_invoke_timed_out_environment_reuse`, script: environmentReuse },
  { recording: 'lambda::TestRequestIdHandling::test_request_id_invoke', script: requestId },
  { recording: 'lambda::TestLambdaErrors::test_lambda_runtime_error', script: failingStart },
  ...(
    [
      ['request_response', 'RequestResponse', '3.9'],
      ['request_response', 'RequestResponse', '3.10'],
      ['event', 'Event', '3.9'],
      ['event', 'Event', '3.10'],
      ['dry_run', 'DryRun', '3.9'],
      ['dry_run', 'DryRun', '3.10'],
    ] as const
  ).map(([name, type, version]) => invocationType(name, type, version)),
  { recording: `${FEATURES}test_invocation_type_no_return_payload[python-Event]`, script: noReturn },
  ...['3.9', '3.10', '3.11', '3.12', '3.14'].map((version) => ({
    recording: `${COMMON}test_introspection_invoke[python${version}]`,
    script: (run: CaseRun) => introspection(run, python(version, INTROSPECTION)),
  })),
  ...['3.10', '3.11', '3.12', '3.13', '3.14'].map((version) => ({
    recording: `${COMMON}test_uncaught_exception_invoke[python${version}]`,
    script: (run: CaseRun) => uncaught(run, python(version, UNCAUGHT)),
  })),
  ...['3.9', '3.10'].map((version) => ({
    recording: `${COMMON}test_runtime_wrapper_invoke[python${version}]`,
    script: (run: CaseRun) => wrapped(run, python(version, WRAPPED)),
  })),
]

/** Functions that bring their own runtime. */
export const PROVIDED_CASES: readonly Case[] = ['provided.al2', 'provided.al2023'].flatMap((runtime) => [
  {
    recording: `${COMMON}test_introspection_invoke[${runtime}]`,
    script: (run: CaseRun) => introspection(run, provided(runtime, SHELL_INTROSPECTION)),
  },
  {
    recording: `${COMMON}test_uncaught_exception_invoke[${runtime}]`,
    script: (run: CaseRun) => uncaught(run, provided(runtime, SHELL_UNCAUGHT)),
  },
])

interface Code {
  readonly Runtime: Runtime
  readonly Handler: string
  readonly files: Readonly<Record<string, ZippedFile>>
}

const python = (version: string, source: string): Code => ({
  Runtime: `python${version}` as Runtime, // one that was recorded
  Handler: 'handler.handler',
  files: { 'handler.py': source, environment_wrapper: { program: WRAPPER } },
})

/** A shell script that answers with what `answer` prints; `$event`, `$id` and `$headers` are there. */
const provided = (runtime: string, answer: string): Code => ({
  Runtime: runtime as Runtime,
  Handler: 'function.handler',
  files: {
    bootstrap: {
      program: `#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers="$(mktemp)"
  event=$(curl -sS -LD "$headers" "$api/next")
  header() { grep -i "^$1:" "$headers" | cut -d' ' -f2- | tr -d '\\r'; }
  id=$(header lambda-runtime-aws-request-id)
  ${answer}
done
`,
    },
  },
})

const INTROSPECTION = `
import os
def handler(event, context):
    fields = ("aws_request_id", "function_name", "function_version", "invoked_function_arn", "log_group_name",
        "log_stream_name", "memory_limit_in_mb")
    ctx = {name: getattr(context, name) for name in fields}
    ctx["remaining_time_in_millis"] = context.get_remaining_time_in_millis()
    return {"environment": dict(os.environ), "ctx": ctx, "packages": []}
`

const UNCAUGHT = `
def handler(event, context):
    raise Exception("Failed: " + event["error_msg"])
`

const WRAPPED = `
import os
def handler(event, context):
    return os.environ.get("WRAPPED")
`

const WRAPPER = `#!/bin/bash
export WRAPPED=yes
exec "$@"
`

const SHELL_INTROSPECTION = `
  environment=$(tr '\\0' '\\n' < /proc/$$/environ | sed 's/=/":"/; s/^/"/; s/$/",/')
  trace="\\"_X_AMZN_TRACE_ID\\":\\"$(header lambda-runtime-trace-id)\\""
  ctx="\\"aws_request_id\\":\\"$id\\",\\"deadline\\":$(header lambda-runtime-deadline-ms)"
  ctx="$ctx,\\"function_name\\":\\"$AWS_LAMBDA_FUNCTION_NAME\\""
  ctx="$ctx,\\"function_version\\":\\"$AWS_LAMBDA_FUNCTION_VERSION\\""
  ctx="$ctx,\\"invoked_function_arn\\":\\"$(header lambda-runtime-invoked-function-arn)\\""
  ctx="$ctx,\\"log_group_name\\":\\"$AWS_LAMBDA_LOG_GROUP_NAME\\""
  ctx="$ctx,\\"log_stream_name\\":\\"$AWS_LAMBDA_LOG_STREAM_NAME\\""
  ctx="$ctx,\\"memory_limit_in_mb\\":$AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
  answer="{\\"environment\\":{$environment$trace},\\"ctx\\":{$ctx},\\"packages\\":[]}"
  curl -sS "$api/$id/response" -d "$answer" > /dev/null`

const SHELL_UNCAUGHT = `
  type='&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>'
  answer="{\\"errorType\\":\\"$type\\",\\"errorMessage\\":\\"Error: \\\\\\"some_error_msg\\\\\\"\\"}"
  curl -sS "$api/$id/error" -d "$answer" > /dev/null`

const PYTHON = { Runtime: 'python3.12', Handler: 'handler.handler' } as const

function invocationType(name: string, InvocationType: InvocationType, version: string): Case {
  return {
    recording: `${FEATURES}test_invocation_type_${name}[python${version}]`,
    script: async (run) => {
      await run.create(python(version, 'def handler(event, context):\n    return event\n'))
      const command = new InvokeCommand({ FunctionName: run.name, Payload: '{}', InvocationType })
      await run.record('invoke-result', command)
    },
  }
}

async function noReturn(run: CaseRun): Promise<void> {
  await run.create(python('3.12', 'def handler(event, context):\n    pass\n'))
  const command = new InvokeCommand({ FunctionName: run.name, Payload: '{}', InvocationType: 'Event' })
  await run.record('invoke-result', command)
}

async function withQualifier(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const source = `
import logging
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    print("Lambda log message - print function")
    logging.getLogger().info("Lambda log message - logging module")
    names = ("invoked_function_arn", "function_version", "function_name", "memory_limit_in_mb", "aws_request_id",
        "log_group_name", "log_stream_name", "client_context")
    return {"event": event, "context": {name: getattr(context, name) for name in names}}
`
  const code = { ...PYTHON, files: { 'handler.py': source } }
  const creation = { ...code, Timeout: 10, Environment: undefined, Publish: true }
  await run.record('creation-response', await run.creation(creation))
  await run.ready()
  await run.ready(FunctionName, '1')
  const Payload = JSON.stringify({ foo: `bar with 'quotes"` })
  const command = new InvokeCommand({ FunctionName, Payload, Qualifier: '1', LogType: 'Tail' })
  const answer = await run.record('invocation-response', command)
  const lines = tailLines(answer).filter((line) => !line.startsWith('REPORT'))
  run.compare('log_result', { log_result: lines })
}

/** The lines of a log's tail, with the time that a runtime writes itself replaced as in the recordings. */
const tailLines = (answer: Readonly<Record<string, unknown>>): string[] =>
  Buffer.from(String(answer['LogResult']), 'base64')
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\[INFO\]\t\d\S+Z\t/, '[INFO]\tdate\t').trimEnd())

async function timeout(run: CaseRun): Promise<void> {
  const source = 'import time\ndef handler(event, context):\n    time.sleep(5)\n'
  const code = { ...PYTHON, files: { 'handler.py': source } }
  await run.record('create-result', await run.creation({ ...code, Timeout: 1 }))
  await run.ready()
  await run.record('invoke-result', new InvokeCommand({ FunctionName: run.name }))
}

async function environmentReuse(run: CaseRun): Promise<void> {
  const source = `
import time
state = {"number": 0}
def handler(event, context):
    if "write" in event:
        with open("/tmp/file.txt", "w") as file: file.write(event["write"])
    if "read" in event:
        with open("/tmp/file.txt") as file: return {"content": file.read()}
    if "set" in event: state["number"] = event["set"]
    if "get" in event: return {"number": state["number"]}
    if "sleep" in event: time.sleep(5)
`
  const invoke = async (entry: string, event: object): Promise<void> => {
    const command = new InvokeCommand({ FunctionName: run.name, Payload: JSON.stringify(event) })
    const answer = await run.send(command)
    // This case recorded a null as the text that it is.
    run.compare(entry, answer['Payload'] === null ? { ...answer, Payload: 'null' } : answer)
  }
  const code = { ...PYTHON, files: { 'handler.py': source } }
  await run.record('create-result', await run.creation({ ...code, Timeout: 1 }))
  await run.ready()
  await invoke('invoke-result-file-write', { write: 'some-content' })
  await invoke('invoke-result-file-read', { read: true })
  await invoke('invoke-result-set-number', { set: 42 })
  await invoke('invoke-result-read-number', { get: true })
  await invoke('invoke-result-timed-out', { sleep: true })
  await invoke('invoke-result-file-read-after-timeout', { read: true })
  await invoke('invoke-result-read-number-after-timeout', { get: true })
}

async function requestId(run: CaseRun): Promise<void> {
  const source = `
import logging
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    logging.getLogger().info("RequestId log message")
    return context.aws_request_id
`
  await run.create({ ...PYTHON, files: { 'handler.py': source } })
  const answer = await run.send(new InvokeCommand({ FunctionName: run.name, LogType: 'Tail' }))
  const { LogResult, Payload, ...rest } = answer
  run.compare('invoke_result', { ...rest, Payload: JSON.stringify(Payload) })
  run.compare('log_entries', { logs: tailLines({ LogResult }) })
}

async function failingStart(run: CaseRun): Promise<void> {
  const files = { 'lambda_runtime_error.py': 'raise Exception("Runtime startup fails")\n' }
  await run.create({ Runtime: 'python3.13', Handler: 'lambda_runtime_error.handler', files })
  const answer = await run.send(new InvokeCommand({ FunctionName: run.name }))
  const payload = answer['Payload'] as { stackTrace: string[] } // of a Python function
  const recorded = run.recorded('invocation_error') as { Payload: { stackTrace: string[] } }
  const stackTrace = payload.stackTrace.map((frame, index) =>
    likeFrame(frame, recorded.Payload.stackTrace[index] ?? ''),
  )
  run.compare('invocation_error', { ...answer, Payload: { ...payload, stackTrace } })
}

/** Frames of Python's own libraries lie elsewhere here; what is compared of them is the function. */
function likeFrame(frame: string, recorded: string): string {
  const functionOf = (text: string): string | undefined => /, in (\S+)/.exec(text)?.[1]
  if (frame.includes('/var/task/')) return frame
  return functionOf(frame) === functionOf(recorded) ? recorded : frame
}

async function introspection(run: CaseRun, code: Code): Promise<void> {
  const FunctionName = run.name
  const Environment = { Variables: { TEST_KEY: 'TEST_VAL' } }
  const creation = { ...code, MemorySize: 1024, Environment }
  await run.record('create_function_result', await run.plainCreation(creation))
  await run.ready()
  for (const [entry, Qualifier] of [
    ['invocation_result_payload', undefined],
    ['invocation_result_payload_qualified', '$LATEST'],
  ] as const) {
    const answer = await run.send(new InvokeCommand({ FunctionName, Qualifier, Payload: '{}' }))
    const payload = answer['Payload'] as Introspection
    const { environment } = run.recorded(entry) as Introspection
    run.compare(entry, { ...payload, environment: likeThere(payload.environment, environment) })
  }
}

/** What the functions answer. */
interface Introspection {
  readonly environment: Readonly<Record<string, string>>
}

const ADDRESSES = ['AWS_LAMBDA_RUNTIME_API', 'AWS_XRAY_DAEMON_ADDRESS', '_AWS_XRAY_DAEMON_ADDRESS']

/** Addresses are this machine's, and functions are told of the engine; the rest is the same. */
function likeThere(
  { AWS_ENDPOINT_URL_LAMBDA, ...environment }: Readonly<Record<string, string>>,
  recorded: Readonly<Record<string, string>>,
): Record<string, string> {
  if (AWS_ENDPOINT_URL_LAMBDA === undefined) throw new Error('The function is not told of the engine.')
  const moved = Object.entries(environment).map(([name, value]) => {
    const isAddress = ADDRESSES.includes(name) && value.startsWith('127.0.0.1')
    return [name, isAddress ? (recorded[name] ?? value) : value]
  })
  return Object.fromEntries(moved) as Record<string, string>
}

async function uncaught(run: CaseRun, code: Code): Promise<void> {
  await run.record('create_function_result', await run.plainCreation({ ...code, MemorySize: 1024 }))
  await run.ready()
  const Payload = JSON.stringify({ error_msg: 'some_error_msg' })
  await run.record('error_result', new InvokeCommand({ FunctionName: run.name, Payload }))
}

async function wrapped(run: CaseRun, code: Code): Promise<void> {
  const Environment = { Variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/environment_wrapper' } }
  const creation = { ...code, MemorySize: 1024, Environment }
  await run.record('create_function_result', await run.plainCreation(creation))
  await run.ready()
  const { Payload } = await run.send(new InvokeCommand({ FunctionName: run.name, Payload: '{}' }))
  if (Payload !== 'yes') throw new Error(`The wrapper did not run: ${JSON.stringify(Payload)}`)
}
