import { CreateFunctionCommand, type CreateFunctionCommandInput } from '@aws-sdk/client-lambda'
import { zipOf, type ZippedFile } from '../support/lambent.ts'
import { Matching } from './matching.ts'
import type { Recording } from './recordings.ts'
import { codeOf, likeRecorded, ROLE, type Service, type ServiceCommand } from './service.ts'

/** Calls that lead to the entries of one recorded case. */
export interface Case {
  /** As in `readRecordings`. */
  readonly recording: string
  readonly script: (run: CaseRun) => Promise<void>
}

/** One entry that was compared. */
export interface Outcome {
  readonly entry: string
  readonly differences: readonly string[]
}

const ECHO = 'exports.handler = async (event) => event'
/** Recorded functions are mostly in Python; these run here, and are compared as if they were those. */
const RUNTIMES: Readonly<Record<string, string>> = {
  'python3.9': 'nodejs22.x',
  'python3.10': 'nodejs22.x',
  'python3.11': 'nodejs20.x',
  'python3.12': 'nodejs22.x',
  'nodejs16.x': 'nodejs22.x',
}

/** `files` are of the runtime that is asked for, which then is compared as it is. */
type NewFunction = Partial<CreateFunctionCommandInput> & {
  readonly source?: string
  readonly files?: Readonly<Record<string, ZippedFile>>
}

/** A case while it runs: names of its own, and what came of each entry. */
export class CaseRun {
  readonly service: Service
  readonly name: string
  readonly outcomes: Outcome[]
  readonly #recording: Recording
  readonly #matching: Matching
  readonly #real = new Set<string>()

  constructor(service: Service, recording: Recording, name: string, of?: CaseRun) {
    this.service = service
    this.#recording = recording
    this.name = name
    this.outcomes = of?.outcomes ?? []
    this.#matching = of === undefined ? new Matching() : of.#matching
  }

  /** The same case against another service: what comes of it counts here. */
  on(service: Service): CaseRun {
    return new CaseRun(service, this.#recording, this.name, this)
  }

  /** Sends a command whose answer was not recorded, or is looked at by the script. */
  async send(command: ServiceCommand): Promise<Readonly<Record<string, unknown>>> {
    return await this.service.answer(command)
  }

  /** Sends a command and compares its answer with the entry. */
  async record(entry: string, command: ServiceCommand): Promise<Readonly<Record<string, unknown>>> {
    const actual = await this.service.answer(command)
    this.compare(entry, actual)
    return actual
  }

  /** Compares something with the entry. */
  compare(
    entry: string,
    actual: Readonly<Record<string, unknown>> | readonly unknown[] | number | boolean,
  ): void {
    if (!(entry in this.#recording)) throw new Error(`Nothing was recorded as "${entry}".`)
    const recorded = comparable(unwrapped(this.#recording[entry]), this.#real)
    const shown = isMembers(actual) ? likeRecorded(actual, recorded) : actual
    const differences = this.#matching.differences(recorded, shown)
    this.outcomes.push({ entry, differences })
  }

  /** What was recorded as `entry`, for a script that has to know. */
  recorded(entry: string): unknown {
    return this.#recording[entry]
  }

  /** The entries that no script led to. */
  missed(): string[] {
    const compared = new Set(this.outcomes.map(({ entry }) => entry))
    return Object.keys(this.#recording).filter((entry) => !compared.has(entry))
  }

  /** CreateFunction with what most recorded cases send. */
  async creation({ source = ECHO, files, ...input }: NewFunction = {}): Promise<CreateFunctionCommand> {
    if (files !== undefined) this.#real.add(input.Runtime ?? '')
    return new CreateFunctionCommand({
      FunctionName: this.name,
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'handler.handler',
      Timeout: 30,
      Environment: { Variables: {} },
      Code: { ZipFile: files === undefined ? await codeOf(source) : await zipOf(files) },
      ...input,
    })
  }

  /** CreateFunction as cases without a fixture send it: the service's own defaults. */
  plainCreation(input: NewFunction = {}): Promise<CreateFunctionCommand> {
    return this.creation({ Handler: 'index.handler', Timeout: undefined, Environment: undefined, ...input })
  }

  /** Creates a function that is Active when this resolves. */
  async create(input: NewFunction = {}): Promise<void> {
    await this.service.client.send(await this.creation(input))
    await this.ready(input.FunctionName)
  }

  ready(name = this.name, qualifier?: string): Promise<void> {
    return this.service.ready(name, qualifier)
  }
}

const isMembers = (actual: unknown): actual is Readonly<Record<string, unknown>> =>
  typeof actual === 'object' && !Array.isArray(actual)

/** A fixture of some recorded cases answers with CreateFunction's answer inside. */
function unwrapped(recorded: unknown): unknown {
  if (typeof recorded !== 'object' || recorded === null) return recorded
  return 'CreateFunctionResponse' in recorded ? recorded.CreateFunctionResponse : recorded
}

/** An answer of a recorded runtime as that of the one that stands for it. */
export const runnable = (answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  ...answer,
  ...('Runtime' in answer ? { Runtime: RUNTIMES[String(answer['Runtime'])] ?? answer['Runtime'] } : {}),
})

/** The recorded answer of a runtime that runs here; most recordings leave the headers out, so all do. */
function comparable(recorded: unknown, real: ReadonlySet<string>): unknown {
  return JSON.parse(JSON.stringify(recorded), (name, value: unknown) => {
    if (name === 'Runtime' && typeof value === 'string')
      return real.has(value) ? value : (RUNTIMES[value] ?? value)
    if (name !== 'ResponseMetadata') return value
    const { HTTPStatusCode } = value as { HTTPStatusCode: number } // every recorded answer has it
    return { HTTPHeaders: {}, HTTPStatusCode }
  })
}
