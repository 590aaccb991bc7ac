import { spawn, type ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import yazl from 'yazl'
import { temporaryDirectory, type TemporaryDirectory } from './temporary.ts'

const built = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'lambent.js')

/** A running `lambent start` of the built program: a process of its own. */
export interface RunningLambent extends AsyncDisposable {
  readonly pid: number
  /** The api port's URL. */
  readonly url: string
  /** The ingress port's URL. */
  readonly httpUrl: string
  readonly data: string
  /** What it has written to stderr so far. */
  stderr(): string
  /** SIGKILL, at once; resolves when it is gone. The data folder stays. */
  kill(): Promise<void>
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
}

export interface StartOptions {
  /** More of the command line. */
  readonly argv?: readonly string[]
  /** More of the environment: LAMBENT_… settings. */
  readonly settings?: Readonly<Record<string, string>>
  /** An existing data folder; a new one that is removed in the end when absent. */
  readonly data?: string
  /** Another build of it, such as an older one to compare with. */
  readonly program?: string
}

/** Starts the built program on free ports and resolves when it says that it is ready. */
export async function startLambent({
  argv = [],
  settings = {},
  data,
  program = built,
}: StartOptions = {}): Promise<RunningLambent> {
  const folder: TemporaryDirectory | undefined = data === undefined ? temporaryDirectory() : undefined
  const directory = data ?? folder?.path ?? ''
  const ports = ['--port', '0', '--http-port', '0']
  const child = spawn(
    process.execPath,
    [program, 'start', ...ports, '--data', directory, '--log-level', 'warn', ...argv],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...settings },
    },
  )
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const stderr = (): string => Buffer.concat(errors).toString('utf8')
  const gone = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const line = await readyLine(child, stderr)
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return await gone
  }
  return {
    pid: child.pid ?? 0,
    url: /api=(\S+)/.exec(line)?.[1] ?? '',
    httpUrl: /http=(\S+)$/.exec(line)?.[1] ?? '',
    data: directory,
    stderr,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end('SIGTERM')
      folder?.[Symbol.dispose]()
    },
  }
}

function readyLine(child: ChildProcess, stderr: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      reject(new Error(`lambent start exited with ${code} before it was ready:\n${stderr()}`)),
    )
    if (child.stdout === null) return reject(new Error('stdout is not piped'))
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('lambent ready ')) resolve(line)
    })
  })
}

/** A file in a zip: text, or a program with the permission to be one. */
export type ZippedFile = string | { readonly program: string | Buffer; readonly mode?: number }

/** A zip of files by name. */
export function zipOf(files: Readonly<Record<string, ZippedFile>>): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const [name, file] of Object.entries(files)) {
    const { program, mode = 0o755 } = typeof file === 'string' ? { program: file, mode: 0o644 } : file
    zip.addBuffer(Buffer.from(program), name, {
      mtime: new Date(0),
      mode: 0o100000 | mode,
      compress: true,
      forceDosTimestamp: false,
    })
  }
  zip.end()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    zip.outputStream.on('data', (chunk: Buffer) => chunks.push(chunk))
    zip.outputStream.on('end', () => resolve(Buffer.concat(chunks)))
    zip.outputStream.on('error', reject)
  })
}

export interface DeployOptions {
  readonly tags?: Readonly<Record<string, string>>
  readonly memoryMb?: number
  readonly timeoutSeconds?: number
  readonly runtime?: string
  /** Twelve digits; the account of callers without credentials when absent. */
  readonly account?: string
  readonly handler?: string
  readonly variables?: Readonly<Record<string, string>>
  /** ARNs of layer versions. */
  readonly layers?: readonly string[]
  readonly logging?: Readonly<Record<string, string>>
}

/** Creates a function over the Lambda API and waits until it is Active. */
export async function deploy(
  url: string,
  name: string,
  zip: Buffer,
  options: DeployOptions = {},
): Promise<void> {
  const base = `${url}/2015-03-31/functions`
  const headers = authorizationOf(options.account)
  const created = await fetch(base, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      FunctionName: name,
      Role: 'arn:aws:iam::000000000000:role/test',
      Runtime: options.runtime ?? `nodejs${process.versions.node.split('.')[0]}.x`,
      Handler: options.handler ?? 'index.handler',
      ...(options.variables === undefined ? {} : { Environment: { Variables: options.variables } }),
      ...(options.layers === undefined ? {} : { Layers: options.layers }),
      ...(options.logging === undefined ? {} : { LoggingConfig: options.logging }),
      Timeout: options.timeoutSeconds ?? 60,
      MemorySize: options.memoryMb ?? 512,
      Code: { ZipFile: zip.toString('base64') },
      Tags: options.tags ?? {},
    }),
  })
  if (created.status !== 201) throw new Error(`${name}: ${created.status} ${await created.text()}`)
  await active(url, name, headers)
}

/** What names an account; nobody looks at signatures of an open engine. */
const authorizationOf = (account: string | undefined): Record<string, string> =>
  account === undefined
    ? {}
    : { authorization: `AWS4-HMAC-SHA256 Credential=${account}/20260101/us-east-1/lambda/aws4_request` }

/** Resolves when the function can be invoked with what was last deployed. */
export async function active(
  url: string,
  name: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/2015-03-31/functions/${name}/configuration`, { headers })
    const answer = (await response.json()) as {
      State?: string
      StateReason?: string
      LastUpdateStatus?: string
    }
    if (answer.State === 'Active' && answer.LastUpdateStatus !== 'InProgress') return
    if (answer.State !== 'Pending' && answer.State !== 'Active')
      throw new Error(`${name}: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const invokeUrl = (url: string, name: string): string =>
  `${url}/2015-03-31/functions/${name}/invocations`

/** One synchronous invocation; `error` says whether the answer is a function error. */
export async function invoke(
  url: string,
  name: string,
  payload: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; error: boolean; body: unknown; headers: Headers }> {
  const response = await fetch(invokeUrl(url, name), {
    method: 'POST',
    body: JSON.stringify(payload),
    headers,
  })
  const text = await response.text()
  const body: unknown = text === '' ? undefined : JSON.parse(text)
  return {
    status: response.status,
    error: response.headers.has('x-amz-function-error'),
    body,
    headers: response.headers,
  }
}
