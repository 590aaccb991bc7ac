import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import { PythonInterpreters } from './python-interpreters.ts'
import { familyOf, type RuntimeFamily } from './runtime-families.ts'

/** Languages whose managed runtimes need a runtime client that cannot be had. */
const UNOBTAINABLE: Readonly<Partial<Record<RuntimeFamily, string>>> = {
  java: 'Java',
  dotnet: '.NET',
  ruby: 'Ruby',
}

/** Which runtimes other than Node.js this machine can run, and with what. */
export class RuntimeSupport {
  readonly #interpreters: PythonInterpreters
  /** Paths by runtime identifier; null where there is none. */
  readonly #paths = new Map<string, string | null>()

  constructor({ log }: { log: Log }) {
    this.#interpreters = new PythonInterpreters({ log })
  }

  /** Finds out about the runtimes before anything of them runs. */
  async load(runtimes: Iterable<string>): Promise<void> {
    for (const runtime of runtimes) {
      if (familyOf(runtime) !== 'python' || this.#paths.has(runtime)) continue
      this.#paths.set(runtime, (await this.#interpreters.resolve(runtime))?.path ?? null)
    }
  }

  /** The program that a runtime identifier's code is started with; '' where there is none. */
  interpreterOf(runtime: string): string {
    return this.#paths.get(runtime) ?? ''
  }

  /** Why nothing of a runtime identifier can run here; undefined when it can. */
  missingFor(runtime: string): EngineError | undefined {
    if (runtime.startsWith('nodejs')) return undefined // most of them, and this is asked for every invocation
    if (runtime === '')
      return refusal(
        'Functions from container images cannot run here: nothing on this machine runs containers.',
        "Deploy the image's code as a zip, with the runtime it is written for or with provided.al2023.",
      )
    if (this.#paths.get(runtime) === null) {
      const hint = 'Install Python 3 where environments can see it: under /usr, and readable by every user.'
      return refusal(`Functions of runtime ${runtime} cannot run here: there is no Python 3.`, hint)
    }
    const language = UNOBTAINABLE[familyOf(runtime)]
    if (language === undefined) return undefined
    return refusal(
      `Functions of runtime ${runtime} cannot run here: AWS's runtime client for ${language} is not available.`,
      'Deploy it with the runtime provided.al2023 and a bootstrap that brings its own runtime client.',
    )
  }
}

const refusal = (message: string, hint: string): EngineError =>
  new EngineError('unsupported', message, { detail: 'runtime', hint })
