import { EngineError } from '../errors.ts'
import { familyOf, type RuntimeFamily } from './runtime-families.ts'

/** Languages whose managed runtimes need a program that this machine cannot be asked for. */
const UNOBTAINABLE: Readonly<Partial<Record<RuntimeFamily, string>>> = {
  java: 'Java',
  dotnet: '.NET',
  ruby: 'Ruby',
}

/** Why nothing of a runtime identifier can run here; undefined when it can. */
export function missingFor(runtime: string): EngineError | undefined {
  if (runtime.startsWith('nodejs')) return undefined // most of them, and this is asked for every invocation
  const language = UNOBTAINABLE[familyOf(runtime)]
  if (language === undefined) return undefined
  return new EngineError(
    'unsupported',
    `Functions of runtime ${runtime} cannot run here: AWS's runtime client for ${language} is not available.`,
    {
      detail: 'runtime',
      hint: 'Deploy it with the runtime provided.al2023 and a bootstrap that brings its own runtime client.',
    },
  )
}
