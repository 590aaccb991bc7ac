import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import * as lambda from '@aws-sdk/client-lambda'
import { cleanEnvironment, CLIENT_ENVIRONMENT, runProgram } from '../../acceptance/programs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import type { Blobs, ScriptedCall } from './forty-calls.ts'

/** What a client made of one call: the body it shows, or the name of the error it raised. */
export interface ClientAnswer {
  readonly error?: string
  readonly body?: Readonly<Record<string, unknown>>
}

/** Runs a script through one client. */
export type Driver = (run: {
  readonly url: string
  readonly account: string
  readonly calls: readonly ScriptedCall[]
  readonly blobs: Blobs
}) => Promise<ClientAnswer[]>

const withBlobs = (value: unknown, blobs: Blobs): unknown => {
  if (typeof value === 'string' && value.startsWith('blob:')) return blobs[value.slice(5) as keyof Blobs]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withBlobs(item, blobs)]))
}

const nameOf = (call: ScriptedCall): string => String(call.input.FunctionName)

/** Waits with the account's own eyes. */
async function settle(client: lambda.LambdaClient, name: string): Promise<void> {
  const options = { client, maxWaitTime: 20, minDelay: 0.02, maxDelay: 0.05 } as never // below a second
  await lambda.waitUntilFunctionActiveV2(options, { FunctionName: name })
  await lambda.waitUntilFunctionUpdatedV2(options, { FunctionName: name })
}

const clientOf = (endpoint: string, account: string): lambda.LambdaClient =>
  new lambda.LambdaClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: account, secretAccessKey: 'test' },
    maxAttempts: 1,
  })

/** The SDK for JavaScript. */
export const javascript: Driver = async ({ url, account, calls, blobs }) => {
  const client = clientOf(url, account)
  // every operation has a command of its name, which takes its input
  const commands = lambda as unknown as Record<string, new (input: unknown) => never>
  const answers: ClientAnswer[] = []
  for (const call of calls) {
    if (call.settled) await settle(client, nameOf(call))
    const Command = commands[`${call.operation}Command`]
    if (Command === undefined) throw new Error(`There is no ${call.operation}Command.`)
    try {
      const output: object = await client.send(new Command(withBlobs(call.input, blobs)))
      answers.push({ body: plain(output) })
    } catch (error) {
      answers.push({ error: error instanceof Error ? error.name : String(error) })
    }
  }
  client.destroy()
  return answers
}

function plain(output: object): Readonly<Record<string, unknown>> {
  const shown = Object.entries(output).filter(([name]) => name !== '$metadata')
  const texts = shown.map(([name, value]) => [
    name,
    // to this client an empty payload is null, to others ''
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : ((value as unknown) ?? ''),
  ])
  return JSON.parse(JSON.stringify(Object.fromEntries(texts))) as Record<string, unknown> // an object went in
}

/** boto3, in one Python process. */
export const boto: Driver = async ({ url, account, calls, blobs }) => {
  const driver = join(dirname(fileURLToPath(import.meta.url)), 'boto-driver.py')
  const env = cleanEnvironment({ ...CLIENT_ENVIRONMENT, AWS_ACCESS_KEY_ID: account })
  const child = spawn('python3', [driver], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const base64 = Object.fromEntries(
    Object.entries(blobs).map(([name, bytes]) => [name, bytes.toString('base64')]),
  )
  child.stdin.end(JSON.stringify({ url, calls, blobs: base64 }))
  const [lines] = await Promise.all([text(child.stdout), once(child, 'close')])
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ClientAnswer) // what the driver prints
}

/** The AWS CLI: a process a call. */
export const awsCli: Driver = async ({ url, account, calls, blobs }) => {
  using folder = temporaryDirectory()
  for (const [name, bytes] of Object.entries(blobs)) writeFileSync(folder.join(`${name}.zip`), bytes)
  const client = clientOf(url, account)
  const env = { ...CLIENT_ENVIRONMENT, AWS_ACCESS_KEY_ID: account }
  const answers: ClientAnswer[] = []
  for (const call of calls) {
    if (call.settled) await settle(client, nameOf(call))
    const words = ['--output', 'json', '--endpoint-url', url, 'lambda', ...wordsOf(call, folder.path)]
    const { code, stdout, stderr } = await runProgram('aws', words, {
      env,
      limitMs: 60_000,
      cwd: folder.path,
    })
    if (code !== 0) {
      answers.push({ error: /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? stderr })
      continue
    }
    // the cast: the CLI prints an answer's members
    const body = (stdout.trim() === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>
    const isInvoke = call.operation === 'Invoke'
    answers.push({
      body: isInvoke ? { ...body, Payload: readFileSync(folder.join('out.json'), 'utf8') } : body,
    })
  }
  client.destroy()
  return answers
}

/** Blobs and payloads are options that name a file; the rest of the input is JSON. */
function wordsOf({ operation, input }: ScriptedCall, folder: string): string[] {
  const { Code, ZipFile, Content, Payload, ...rest } = input as Record<string, { ZipFile?: string } | string>
  const words = [kebab(operation)]
  if (operation === 'Invoke') {
    // it has an argument of its own beside the input, and then no member may come from JSON
    for (const [name, value] of Object.entries(rest)) words.push(`--${kebab(name)}`, String(value))
    words.push('out.json')
  } else words.push('--cli-input-json', JSON.stringify(rest))
  const zip = ZipFile ?? (Code as { ZipFile?: string } | undefined)?.ZipFile
  if (typeof zip === 'string') words.push('--zip-file', `fileb://${zip.slice(5)}.zip`)
  const layer = (Content as { ZipFile?: string } | undefined)?.ZipFile
  if (layer !== undefined) words.push('--zip-file', `fileb://${layer.slice(5)}.zip`)
  if (typeof Payload === 'string') {
    writeFileSync(join(folder, 'payload.json'), Payload)
    words.push('--payload', 'fileb://payload.json')
  }
  return words
}

const kebab = (name: string): string => name.replaceAll(/(?!^)([A-Z])/g, '-$1').toLowerCase()
