// time limit: 300 s
import * as sdk from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CAPACITY_OPERATIONS } from './operations/capacity.ts'
import { FUNCTION_OPERATIONS } from './operations/functions.ts'
import { World, type Command, type Operation, type Refused } from './operations/operation.ts'
import { SETTING_OPERATIONS } from './operations/settings.ts'
import { SOURCE_OPERATIONS } from './operations/sources.ts'

/**
 * Every operation that the official client knows: what it answers when all is well, when something is
 * missing, and when it is invalid. An operation that the client learns fails here until it is listed.
 */
const operations = suite('all operations of the official client')

const TABLE: Readonly<Record<string, Operation>> = {
  ...FUNCTION_OPERATIONS,
  ...SETTING_OPERATIONS,
  ...SOURCE_OPERATIONS,
  ...CAPACITY_OPERATIONS,
}
/** Listed and not built yet. One that begins to work fails until it is taken off. */
const PENDING: ReadonlySet<string> = new Set([])
/** Names that the client has for operations. */
const KNOWN = Object.keys(sdk)
  .filter((name) => name !== '$Command' && name.endsWith('Command'))
  .map((name) => name.slice(0, -'Command'.length))

let started: Promise<World> | undefined
const world = (): Promise<World> => (started ??= World.start())

/** What came of a call: the status, and the error where it was refused. */
async function outcomeOf(
  it: World,
  command: Command,
): Promise<{ status: number | undefined; requestId: string | undefined; error: Error | undefined }> {
  // the cast: what `send` declares takes no command by its general type
  const send = it.client.send.bind(it.client) as unknown as (one: Command) => Promise<WithMetadata>
  try {
    const { $metadata } = await send(command)
    return { status: $metadata.httpStatusCode, requestId: $metadata.requestId, error: undefined }
  } catch (error) {
    if (!(error instanceof sdk.LambdaServiceException)) throw error // it never reached the service
    const { httpStatusCode, requestId } = error.$metadata
    return { status: httpStatusCode, requestId, error }
  }
}

interface WithMetadata {
  readonly $metadata: { readonly httpStatusCode?: number; readonly requestId?: string }
}

/** The client's class of an exception; the common one for those that its model leaves out. */
function classOf(name: string): new (...parameters: never[]) => Error {
  const found: unknown = Reflect.get(sdk, name)
  // the cast: exceptions are what the client exports under such a name
  return typeof found === 'function' ? (found as new () => Error) : sdk.LambdaServiceException
}

async function checkRefused(it: World, { call, error, status }: Refused): Promise<void> {
  const outcome = await outcomeOf(it, await call(it))

  assert.is(outcome.error?.name, error, outcome.error?.message ?? `it succeeded with ${outcome.status}`)
  assert.is(outcome.status, status)
  assert.instance(outcome.error, classOf(error))
  assert.match(outcome.error?.message ?? '', /^(?!UnknownError).+/)
  assert.match(outcome.requestId ?? '', /^[0-9a-f-]{36}$/)
}

operations('every one of them is listed, and nothing else', () => {
  assert.equal(
    KNOWN.filter((name) => !(name in TABLE)),
    [],
  )
  assert.equal(
    [...Object.keys(TABLE), ...PENDING].filter((name) => !KNOWN.includes(name)),
    [],
  )
  assert.ok(KNOWN.length >= 88, `${KNOWN.length}`)
})

for (const [name, { succeeds, missing, invalid }] of Object.entries(TABLE)) {
  if (PENDING.has(name)) {
    operations(`${name} is not built yet, and says so`, async () => {
      const asked = typeof missing === 'string' ? invalid : missing
      assert.not.type(asked, 'string', 'one call of it is refused')
      if (typeof asked === 'string') return
      const it = await world()

      const { error } = await outcomeOf(it, await asked.call(it))

      assert.is(error?.name, 'UnknownOperationException', `${name} works: take it off the list`)
    })
    continue
  }
  if (typeof succeeds !== 'string')
    operations(`${name} succeeds with ${succeeds.status}`, async () => {
      const it = await world()

      const { status, error, requestId } = await outcomeOf(it, await succeeds.call(it))

      assert.is(error, undefined, error?.message)
      assert.is(status, succeeds.status)
      assert.match(requestId ?? '', /^[0-9a-f-]{36}$/)
    })
  if (typeof missing !== 'string')
    operations(`${name} says what is missing: ${missing.error}`, async () => {
      await checkRefused(await world(), missing)
    })
  if (typeof invalid !== 'string')
    operations(`${name} says what is invalid: ${invalid.error}`, async () => {
      await checkRefused(await world(), invalid)
    })
}

operations('stops cleanly in the end', async () => {
  const it = await started

  assert.is(await it?.lambent.stop(), 0)
})

operations.run()
