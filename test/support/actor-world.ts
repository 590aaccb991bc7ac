import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { startLambentProcess, type LambentProcess } from './lambent-process.ts'
import { temporaryDirectory, type TemporaryDirectory } from './temporary.ts'

/** An answer over HTTP: its status, and its body as JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}

/** The built program with functions in folders that may be changed and deployed again, and killed. */
export class ActorWorld implements AsyncDisposable {
  readonly #folder: TemporaryDirectory
  #lambent: LambentProcess

  private constructor(folder: TemporaryDirectory, lambent: LambentProcess) {
    this.#folder = folder
    this.#lambent = lambent
  }

  /** `functions`: the source of each by its name; `flags` are for the first start. */
  static async start(
    functions: Readonly<Record<string, string>>,
    flags: readonly string[] = [],
  ): Promise<ActorWorld> {
    const folder = temporaryDirectory()
    write(folder, functions)
    try {
      return new ActorWorld(folder, await launch(folder, flags))
    } catch (error) {
      folder[Symbol.dispose]()
      throw error
    }
  }

  get lambent(): LambentProcess {
    return this.#lambent
  }

  /** Deploys other code. */
  async deploy(functions: Readonly<Record<string, string>>): Promise<void> {
    write(this.#folder, functions)
    const { code, stderr } = await this.#lambent.run(['deploy', this.#folder.join('functions')])
    if (code !== 0) throw new Error(`The deploy failed: ${stderr}`)
  }

  /** Ends the engine as a power cut does and starts another one on the same data. */
  async restart(): Promise<void> {
    await this.#lambent.end('SIGKILL')
    this.#lambent = await launch(this.#folder)
  }

  /** What a function answers to an event; its error as Lambda tells it. */
  async invoke(name: string, event: unknown = {}): Promise<unknown> {
    const response = await fetch(`${this.#lambent.api}/2015-03-31/functions/${name}/invocations`, {
      method: 'POST',
      body: JSON.stringify(event),
    })
    return response.json()
  }

  /** Calls an actor: `call('tally/Tally/all/add', [1])`. */
  async call(path: string, args: unknown[] = [], headers: Record<string, string> = {}): Promise<JsonAnswer> {
    return this.ask('POST', path, JSON.stringify(args), headers)
  }

  /** The value that a call gives; anything but 200 fails. */
  async value(path: string, ...args: unknown[]): Promise<unknown> {
    const { status, body } = await this.call(path, args)
    if (status === 200) return body
    throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}\n${this.#lambent.stderr}`)
  }

  async ask(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<JsonAnswer> {
    const response = await fetch(`${this.#lambent.api}/lambent/v1/actors/${path}`, {
      ...{ method, headers },
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lambent[Symbol.asyncDispose]()
    this.#folder[Symbol.dispose]()
  }
}

const launch = (folder: TemporaryDirectory, flags: readonly string[] = []): Promise<LambentProcess> =>
  startLambentProcess(['--log-level', 'warn', '--deploy', folder.join('functions'), ...flags], {
    data: folder.join('data'),
  })

function write(folder: TemporaryDirectory, functions: Readonly<Record<string, string>>): void {
  for (const [name, source] of Object.entries(functions)) {
    const file = folder.join('functions', name, 'index.ts')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, source)
  }
}
