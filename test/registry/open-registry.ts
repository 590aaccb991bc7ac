import { createLog } from '../../runtime/log.ts'
import type { FunctionSettings } from '../../runtime/registry/function-record.ts'
import { openRegistry, type Registry, type RegistryParts } from '../../runtime/registry/registry.ts'
import type { CodePackage, RegistryEvent } from '../../runtime/registry/types.ts'
import { systemRng } from '../../runtime/rng.ts'
import { openStore } from '../../runtime/store/open.ts'
import { EngineError } from '../../runtime/errors.ts'
import { createFakeClock } from '../support/clock.ts'

/** Whose functions tests make. */
export const HERE = { account: '000000000000', region: 'us-east-1' }

/** A package that is there, by the name of its content. */
export const packageOf = (id: string): CodePackage => ({
  id,
  sha256: `sha256-${id}`,
  sizeBytes: 100,
  unzippedBytes: 200,
  directory: `/packages/${id}`,
  zipPath: `/packages/${id}.zip`,
})

export const SETTINGS: FunctionSettings = {
  runtime: 'nodejs24.x',
  handler: 'index.handler',
  role: 'arn:aws:iam::000000000000:role/test',
  description: '',
  timeoutMs: 3000,
  memoryMb: 128,
  ephemeralMb: 512,
  architecture: 'x86_64',
  variables: undefined,
  logging: { format: 'Text', applicationLevel: 'INFO', systemLevel: 'INFO', group: '/aws/lambda/f' },
  deadLetterTarget: undefined,
  layers: [],
  image: undefined,
  kept: {},
}

export const NEW = { settings: SETTINGS, codePackage: packageOf('one'), tags: {}, publish: false }

/** A registry over a real store, and what it said. */
export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry
  readonly events: RegistryEvent[]
  /** Ends the registry and its store; what is durable stays in the folder. */
  close(): Promise<void>
}

/**
 * Opens the registry of a folder; packages named `lost…` are gone, and writes are refused while
 * `refusing.now`.
 */
export async function openTestRegistry(
  dataDirectory: string,
  options: Partial<Omit<RegistryParts, 'config'>> & { limits?: 'extended' | 'strict' } = {},
  refusing: { now: boolean } = { now: false },
): Promise<TestRegistry> {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory, clock, log, inline: true })
  const events: RegistryEvent[] = []
  const registry = await openRegistry({
    store: {
      reader: store.reader,
      commit: (changes) =>
        refusing.now
          ? Promise.reject(new EngineError('unavailable', 'The disk is full.'))
          : store.commit(changes),
    },
    packages: {
      get: (id) =>
        id.startsWith('lost')
          ? Promise.reject(new EngineError('not-found', `Code package ${id} is gone.`))
          : Promise.resolve(packageOf(id)),
      directoryOf: (id) => packageOf(id).directory,
    },
    clock,
    rng: systemRng(),
    log,
    config: { limits: options.limits ?? 'extended', accountConcurrency: 1000 },
    network: 'full',
    prepare: () => Promise.resolve(),
    feasible: () => undefined,
    onEvent: (event) => events.push(event),
    ...options,
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= registry.close().then(() => store.close()))
  return { registry, events, close, [Symbol.asyncDispose]: close }
}
