import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Gateway } from '../../runtime/environments/gateway.ts'
import type { Launcher, ProcessExit } from '../../runtime/environments/launcher.ts'
import { createStarter } from '../../runtime/environments/starter.ts'
import { createLog } from '../../runtime/log.ts'
import type { CodePackages } from '../../runtime/registry/packages.ts'
import { systemRng } from '../../runtime/rng.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'

const starting = suite('starting environments')

starting('a process that never connects is ended, and that is told', async () => {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const { journal } = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const told: string[] = []
  const silent: Launcher = {
    isolation: { requested: 'none', effective: 'none', means: '', missing: [], memory: '', killsTree: true },
    launch: ({ environmentId }) => {
      let exit: (exit: ProcessExit) => void = () => {}
      return Promise.resolve({
        environmentId,
        pid: 1,
        taskDirectory: '',
        taskRoot: '',
        optRoot: '',
        librariesRoot: '/var/runtime/node_modules',
        sharesUser: false,
        sandboxAddress: '',
        temporaryDirectory: '',
        temporaryFor: undefined,
        inheritTemporary: () => Promise.resolve(),
        cacheDirectory: '',
        cacheRoot: '',
        variables: {},
        exited: new Promise<ProcessExit>((resolve) => (exit = resolve)),
        limit: () => Promise.resolve(),
        kill: () => exit({ code: null, signal: 'SIGKILL', outOfMemory: false, means: '' }),
        terminate: () => told.push('terminated'),
      })
    },
    close: () => Promise.resolve(),
  }
  const starter = createStarter({
    gateway: new Gateway({ socketDirectory: '', clock, log }),
    packages: {} as CodePackages, // nothing is loaded here
    journal,
    clock,
    rng: systemRng(),
    log,
    bootEpoch: 1,
    support: { interpreterOf: () => '' },
  })

  const environment = starter.start({
    binary: { nodePath: 'node', version: 'v20' },
    launcher: silent,
    owner: {
      booted: () => told.push('booted'),
      loaded: () => told.push('loaded'),
      released: () => told.push('released'),
      startedHeld: () => told.push('started held'),
      returned: () => told.push('returned'),
      stopped: (_environment, exit) => told.push(`stopped by ${exit.signal}`),
      codeCache: () => told.push('code cache'),
      requested: () => told.push('code cache'),
    },
  })
  await clock.advance(119_000)
  assert.is(environment.state, 'starting')
  await clock.advance(2000)

  assert.equal(told, ['stopped by SIGKILL'])
})

starting.run()
