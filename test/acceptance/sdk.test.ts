import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  ResourceNotFoundException,
  TooManyRequestsException,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
  type InvokeCommandOutput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'

/**
 * What somebody does with the official client and nothing but an endpoint. One engine for all tests of this
 * file.
 */
const sdk = suite('the AWS SDK for JavaScript')

let lambent: RunningLambent | undefined
let started: Promise<RunningLambent> | undefined

async function client(): Promise<LambdaClient> {
  started ??= startLambent()
  lambent = await started
  process.env['AWS_ENDPOINT_URL_LAMBDA'] = lambent.url
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  process.env['AWS_REGION'] = 'us-east-1'
  return new LambdaClient({ maxAttempts: 1 })
}

interface Wish {
  readonly code: string
  readonly handler?: string
  readonly runtime?: 'nodejs20.x' | 'nodejs22.x'
  readonly timeout?: number
  readonly memory?: number
  readonly tags?: Record<string, string>
}

async function create(lambda: LambdaClient, FunctionName: string, wish: Wish): Promise<void> {
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Role: 'arn:aws:iam::000000000000:role/r',
      Runtime: wish.runtime ?? 'nodejs20.x',
      Handler: wish.handler ?? 'index.handler',
      Code: { ZipFile: await zipOf({ 'index.js': wish.code }) },
      ...(wish.timeout ? { Timeout: wish.timeout } : {}),
      ...(wish.memory ? { MemorySize: wish.memory } : {}),
      ...(wish.tags ? { Tags: wish.tags } : {}),
    }),
  )
  await waitUntilFunctionActiveV2(
    { client: lambda, maxWaitTime: 30, minDelay: 0.05, maxDelay: 0.1 } as never,
    { FunctionName },
  )
}

const json = (output: InvokeCommandOutput): Record<string, unknown> =>
  JSON.parse(Buffer.from(output.Payload ?? []).toString('utf8')) as Record<string, unknown>

sdk('deploys a zip, waits for Active, invokes and reads the tail', async () => {
  const lambda = await client()
  await create(lambda, 'echo', {
    code: 'exports.handler = async (event, context) => { console.log("seen", event.a); return { event, id: context.awsRequestId } }',
  })

  const output = await lambda.send(
    new InvokeCommand({ FunctionName: 'echo', Payload: '{"a":1}', LogType: 'Tail' }),
  )

  assert.is(output.StatusCode, 200)
  assert.is(output.ExecutedVersion, '$LATEST')
  assert.is(output.FunctionError, undefined)
  assert.equal(json(output)['event'], { a: 1 })
  assert.is(json(output)['id'], output.$metadata.requestId)
  const tail = Buffer.from(output.LogResult ?? '', 'base64').toString('utf8')
  assert.match(
    tail,
    /^START RequestId: \S+ Version: \$LATEST\n\S+Z\t\S+\tINFO\tseen 1\nEND RequestId: \S+\nREPORT /,
  )
  assert.match(tail, /Init Duration: [\d.]+ ms\t\n$/)
})

sdk('sees a TypeError with its trace', async () => {
  const lambda = await client()
  await create(lambda, 'throws', { code: 'exports.handler = async () => { undefined.x }' })

  const output = await lambda.send(new InvokeCommand({ FunctionName: 'throws' }))

  assert.is(output.FunctionError, 'Unhandled')
  assert.is(json(output)['errorType'], 'TypeError')
  assert.match((json(output)['trace'] as string[]).join('\n'), /at .*handler.*\/var\/task\/index\.js:1/)
})

sdk('is throttled with a reason', async () => {
  const lambda = await client()
  await create(lambda, 'slow', {
    code: 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 1500, "done"))',
    timeout: 10,
  })
  await lambda.send(
    new PutFunctionConcurrencyCommand({ FunctionName: 'slow', ReservedConcurrentExecutions: 1 }),
  )

  const first = lambda.send(new InvokeCommand({ FunctionName: 'slow' }))
  await new Promise((resolve) => setImmediate(resolve))
  const answers = await Promise.allSettled([first, lambda.send(new InvokeCommand({ FunctionName: 'slow' }))])

  const refused = answers.filter((one) => one.status === 'rejected')
  assert.is(refused.length, 1)
  const reason: unknown = refused[0]?.reason
  assert.instance(reason, TooManyRequestsException)
  assert.is((reason as TooManyRequestsException).Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded')
})

sdk('a 5-second limit ends an endless loop at 5 seconds', async () => {
  const lambda = await client()
  await create(lambda, 'spins', { code: 'exports.handler = async () => { for (;;); }', timeout: 5 })
  await lambda.send(new InvokeCommand({ FunctionName: 'spins', InvocationType: 'DryRun' }))
  const start = performance.now()

  const output = await lambda.send(new InvokeCommand({ FunctionName: 'spins', LogType: 'Tail' }))

  const tookMs = performance.now() - start
  assert.is(json(output)['errorType'], 'Sandbox.Timedout')
  assert.match(
    String(json(output)['errorMessage']),
    /^RequestId: \S+ Error: Task timed out after 5\.00 seconds$/,
  )
  assert.ok(tookMs >= 5000 && tookMs < 5600, `took ${tookMs} ms`)
  assert.match(Buffer.from(output.LogResult ?? '', 'base64').toString(), /Task timed out after 5\.00 seconds/)
})

sdk('process.exit(3) is a Runtime.ExitError with exit status 3', async () => {
  const lambda = await client()
  await create(lambda, 'exits', { code: 'exports.handler = async () => { process.exit(3) }' })

  const output = await lambda.send(new InvokeCommand({ FunctionName: 'exits' }))

  assert.is(json(output)['errorType'], 'Runtime.ExitError')
  assert.match(String(json(output)['errorMessage']), /Error: Runtime exited with error: exit status 3$/)
})

sdk('HandlerNotFound and ImportModuleError arrive at the waiting caller', async () => {
  const lambda = await client()
  await create(lambda, 'no-handler', { code: 'exports.other = 1' })
  await create(lambda, 'no-module', { code: 'require("not-there")' })

  const handler = json(await lambda.send(new InvokeCommand({ FunctionName: 'no-handler' })))
  const module = json(await lambda.send(new InvokeCommand({ FunctionName: 'no-module' })))

  assert.is(handler['errorType'], 'Runtime.HandlerNotFound')
  assert.is(handler['errorMessage'], 'index.handler is undefined or not exported')
  assert.is(module['errorType'], 'Runtime.ImportModuleError')
  assert.match(String(module['errorMessage']), /Cannot find module 'not-there'/)
})

sdk(
  'publishes, aliases, updates, and no answer after an acknowledged update comes from old code',
  async () => {
    const lambda = await client()
    const FunctionName = 'versions'
    const version = (number: number): string => `exports.handler = async () => ${number}`
    await create(lambda, FunctionName, { code: version(0) })
    const published = await lambda.send(new PublishVersionCommand({ FunctionName }))
    await lambda.send(
      new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: published.Version }),
    )
    let acknowledged = 0
    let stop = false
    const stale: string[] = []
    const caller = async (): Promise<void> => {
      while (!stop) {
        const floor = acknowledged
        const answer = Number(json(await lambda.send(new InvokeCommand({ FunctionName }))).valueOf())
        if (answer < floor) stale.push(`${answer} after ${floor} was acknowledged`)
      }
    }
    const callers = Array.from({ length: 8 }, caller)

    for (let number = 1; number <= 5; number++) {
      await lambda.send(
        new UpdateFunctionCodeCommand({
          FunctionName,
          ZipFile: await zipOf({ 'index.js': version(number) }),
        }),
      )
      acknowledged = number
      await waitUntilFunctionUpdatedV2(
        { client: lambda, maxWaitTime: 10, minDelay: 0.05, maxDelay: 0.1 } as never,
        { FunctionName },
      )
    }
    stop = true
    await Promise.all(callers)

    assert.equal(stale, [])
    const live = await lambda.send(new InvokeCommand({ FunctionName, Qualifier: 'live' }))
    assert.is(json(live).valueOf(), 0)
    assert.is(live.ExecutedVersion, '1')
    await lambda.send(new PublishVersionCommand({ FunctionName }))
    await lambda.send(new UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '2' }))
    assert.is(
      json(await lambda.send(new InvokeCommand({ FunctionName: `${FunctionName}:live` }))).valueOf(),
      5,
    )
  },
)

sdk('a changed variable is seen by the next invocation', async () => {
  const lambda = await client()
  await create(lambda, 'variables', { code: 'exports.handler = async () => process.env.COLOUR ?? "none"' })
  assert.is(json(await lambda.send(new InvokeCommand({ FunctionName: 'variables' }))).valueOf(), 'none')

  await lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: 'variables',
      Environment: { Variables: { COLOUR: 'blue' } },
    }),
  )

  assert.is(json(await lambda.send(new InvokeCommand({ FunctionName: 'variables' }))).valueOf(), 'blue')
})

sdk('a stream is not buffered: the first part arrives before the last is written', async () => {
  const lambda = await client()
  const code = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    stream.write('first')
    await new Promise((resolve) => setTimeout(resolve, 600))
    stream.write('last')
    stream.end() })`
  await create(lambda, 'streams', { code, timeout: 10 })
  await lambda.send(new InvokeCommand({ FunctionName: 'streams' }))

  const output = await lambda.send(new InvokeWithResponseStreamCommand({ FunctionName: 'streams' }))
  const seen: { at: number; text: string }[] = []
  for await (const event of output.EventStream ?? []) {
    if (event.PayloadChunk)
      seen.push({ at: performance.now(), text: Buffer.from(event.PayloadChunk.Payload ?? []).toString() })
    if (event.InvokeComplete) assert.is(event.InvokeComplete.ErrorCode, undefined)
  }

  assert.is(seen.map((one) => one.text).join('|'), 'first|last')
  assert.ok((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0) > 400, 'both parts came at once')
})

sdk('an event is accepted with 202 and a payload that is not JSON is refused', async () => {
  const lambda = await client()
  await create(lambda, 'plain', { code: 'exports.handler = async (event) => event' })

  const accepted = await lambda.send(
    new InvokeCommand({ FunctionName: 'plain', InvocationType: 'Event', Payload: '{}' }),
  )
  const refused = await lambda
    .send(new InvokeCommand({ FunctionName: 'plain', Payload: '{"a":' }))
    .catch((error: Error) => error)

  assert.is(accepted.StatusCode, 202)
  assert.is((refused as Error).name, 'InvalidRequestContentException')
  assert.match(
    (refused as Error).message,
    /^Could not parse request body into json: Could not parse payload into json: /,
  )
})

sdk('deletes, and then there is nothing', async () => {
  const lambda = await client()
  await create(lambda, 'gone', { code: 'exports.handler = async () => 1' })

  await lambda.send(new DeleteFunctionCommand({ FunctionName: 'gone' }))

  for (const command of [
    new GetFunctionCommand({ FunctionName: 'gone' }),
    new InvokeCommand({ FunctionName: 'gone' }),
  ]) {
    const failure = await lambda.send(command as GetFunctionCommand).catch((error: Error) => error)
    assert.instance(failure, ResourceNotFoundException)
  }
})

sdk('stops cleanly in the end', async () => {
  await client()

  assert.is(await lambent?.stop(), 0)
})

sdk.run()
