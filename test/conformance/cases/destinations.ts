import {
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { startQueueServer, type ReceivedMessage } from '../../support/queue-server.ts'
import { until } from '../../support/until.ts'
import type { Case, CaseRun } from '../case.ts'
import { ACCOUNT, REGION, Service } from '../service.ts'

const QUEUES = 'lambda_destinations::TestLambdaDestinationSqs::'

/** Events, their retries and where their outcomes go, with functions in Python as they were recorded. */
export const DESTINATION_CASES: readonly Case[] = [
  { recording: `${QUEUES}test_assess_lambda_destination_invocation[payload0]`, script: told({}, '0') },
  {
    recording: `${QUEUES}test_assess_lambda_destination_invocation[payload1]`,
    script: told({ raise_error: 1 }, '0'),
  },
  {
    recording: `${QUEUES}test_lambda_destination_default_retries`,
    script: told({ raise_error: 1 }, undefined),
  },
  { recording: `${QUEUES}test_maxeventage`, script: tooOld },
  { recording: 'lambda_destinations::TestLambdaDLQ::test_dead_letter_queue', script: deadLetter },
  { recording: 'lambda::TestRequestIdHandling::test_request_id_async_invoke_with_retry', script: sameId },
]

/** The lines that the recorded traces name are where they were. */
const atLine = (line: number, source: string): string => `${'\n'.repeat(line - 1)}${source}\n`

const ASSESSED = `import logging
def handler(event, context):
    print("Lambda log message - print function")
    logger = logging.getLogger()
    logger.setLevel(logging.INFO)
    logger.info("Lambda log message - logging module")
    if event.get("raise_error"):
        return fail()
    fields = ("invoked_function_arn", "function_version", "function_name", "memory_limit_in_mb", "aws_request_id",
        "log_group_name", "log_stream_name", "client_context")
    return {"event": event, "context": {name: getattr(context, name) for name in fields}}
`
const RAISING = `
def handler(event, context):
    if not event.get("raise_error"):
        return assessed(event, context)
    print("Lambda log message - print function")
    import logging
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger().info("Lambda log message - logging module")
`
/** Answers with event and context, or raises at line 55. */
const HANDLER =
  ASSESSED.replace('def handler', 'def assessed') +
  '\n'.repeat(54 - lines(ASSESSED) - lines(RAISING)) +
  RAISING +
  '    raise Exception("Test exception (this is intentional)")\n'

function lines(text: string): number {
  return text.split('\n').length - 1
}

const python = (source: string) =>
  ({ Runtime: 'python3.12', Handler: 'handler.handler', files: { 'handler.py': source } }) as const

const queueArn = (name: string): string => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`

const send = (run: CaseRun, payload: object): Promise<Readonly<Record<string, unknown>>> => {
  // As the recorded client sent it: with a space behind the colon.
  const Payload = JSON.stringify(payload).replaceAll('":', '": ')
  return run.send(new InvokeCommand({ FunctionName: run.name, InvocationType: 'Event', Payload }))
}

/** The case against a service of its own, whose queues are here and whose retries do not take minutes. */
async function withQueues(
  run: CaseRun,
  retryDelaysMs: string,
  script: (run: CaseRun, received: (queue: string) => Promise<ReceivedMessage>) => Promise<void>,
): Promise<void> {
  await using server = await startQueueServer()
  const settings = { ...server.environment, LAMBENT_EVENT_RETRY_DELAYS_MS: retryDelaysMs }
  await using service = await Service.start(settings)
  const seen = new Map<string, number>()
  await script(run.on(service), async (queue) => {
    const next = seen.get(queue) ?? 0
    seen.set(queue, next + 1)
    return await until(`queue ${queue} has message ${next}`, () => server.queues.get(queue)?.[next])
  })
}

/** As the recordings of plain receives show a message: without its attributes. */
const plain = ({
  Attributes: _attributes,
  ...message
}: ReceivedMessage): Readonly<Record<string, unknown>> => ({
  Messages: [message],
  ResponseMetadata: { HTTPHeaders: {}, HTTPStatusCode: 200 },
})

function told(payload: object, retries: string | undefined): Case['script'] {
  return (outer) =>
    withQueues(outer, '20,40', async (run, received) => {
      await run.create(python(HANDLER))
      const Destination = queueArn('outcomes')
      const DestinationConfig = { OnSuccess: { Destination }, OnFailure: { Destination } }
      const config = { FunctionName: run.name, DestinationConfig }
      const put = retries === undefined ? config : { ...config, MaximumRetryAttempts: Number(retries) }
      await run.record('put_function_event_invoke_config', new PutFunctionEventInvokeConfigCommand(put))

      await send(run, payload)

      run.compare('receive_message_result', plain(await received('outcomes')))
    })
}

/** A retry that would come after the age limit is not waited for: the delays lie on either side of it. */
async function tooOld(outer: CaseRun): Promise<void> {
  const raising = atLine(
    5,
    'def handler(event, context):\n    print(event)\n    raise Exception("intentional failure")',
  )
  const config = (FunctionName: string): PutFunctionEventInvokeConfigCommand =>
    new PutFunctionEventInvokeConfigCommand({
      ...{ FunctionName, MaximumEventAgeInSeconds: 60 },
      DestinationConfig: { OnFailure: { Destination: queueArn('failures') } },
    })
  for (const [entry, delays] of [
    ['no_retry_failure_message', '60000'],
    ['single_retry_failure_message', '20,60000'],
  ] as const)
    await withQueues(outer, delays, async (run, received) => {
      await run.create(python(raising))
      await run.send(config(run.name))

      await send(run, { message: 'test-msg' })

      run.compare(entry, await received('failures'))
    })
}

function deadLetter(outer: CaseRun): Promise<void> {
  return withQueues(outer, '20,40', async (run, received) => {
    const FunctionName = run.name
    const DeadLetterConfig = { TargetArn: queueArn('dead') }
    await run.record('create_lambda_with_dlq', await run.creation({ ...python(HANDLER), DeadLetterConfig }))
    await run.ready()

    await send(run, { raise_error: 1 })

    run.compare('receive_result', plain(await received('dead')))
    // An empty structure changes nothing.
    const unchanged = { FunctionName, DeadLetterConfig: {} }
    await run.record('delete_dlq', new UpdateFunctionConfigurationCommand(unchanged))
    await run.ready()
    const Payload = JSON.stringify({ raise_error: 1 })
    const invoke = new InvokeCommand({ FunctionName, Payload, LogType: 'Tail' })
    const answer = await run.record('invoke_result', invoke)
    const log = Buffer.from(String(answer['LogResult']), 'base64').toString('utf8')
    run.compare('log_result', { result: recordedLines(log) })
  })
}

/** Log lines as they were recorded: a trace's on lines of their own, times replaced, no REPORT. */
const recordedLines = (log: string): string[] =>
  log
    .trimEnd()
    .split(/[\r\n]+/)
    .filter((line) => !line.startsWith('REPORT'))
    .map((line) => line.trimEnd().replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'date'))

function sameId(outer: CaseRun): Promise<void> {
  return withQueues(outer, '20', async (run) => {
    const FunctionName = run.name
    await run.create(python('def handler(event, context):\n    raise Exception("no")\n'))
    await run.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, MaximumRetryAttempts: 1 }))
    await run.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 1 }))

    const invoke = new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload: '{}' })
    await run.record('invoke_result', invoke)

    const ends = await until('it has ended twice', async () => {
      const headers = {
        authorization: `AWS4-HMAC-SHA256 Credential=${ACCOUNT}/20260101/${REGION}/lambda/aws4_request`,
      }
      const url = `${run.service.lambent.url}/lambent/v1/functions/${FunctionName}/logs?grep=END`
      const { lines: found } = (await (await fetch(url, { headers })).json()) as {
        lines: { message: string }[]
      }
      return found.length === 2 ? found.map(({ message }) => message.trimEnd()) : undefined
    })
    run.compare('end_messages', ends)
  })
}
