import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  sandboxCommand,
  type Arrangement,
  type SandboxContent,
  type SandboxHost,
} from '../../../runtime/environments/sandbox.ts'

const nodes = suite('device nodes of GPUs')

const HOST: SandboxHost = {
  isRoot: false,
  dataDirectory: '/data',
  socketDirectory: '/tmp/sockets',
  runtimeDirectory: '/data/runtime',
  librariesDirectory: null,
  skeletonDirectory: '/data/skeleton',
  rootEntries: [],
  variableEntries: [],
  writableMounts: [],
  resolverPath: null,
  gpuDevices: ['/dev/nvidia0', '/dev/nvidia1', '/dev/nvidia2', '/dev/nvidia3'],
  gpuControlDevices: ['/dev/nvidiactl', '/dev/nvidia-uvm'],
  hasPrlimit: false,
}
const content = (gpuMinors: readonly number[]): SandboxContent => ({
  nodePath: '/usr/bin/node',
  taskDirectory: '/data/task',
  cacheDirectory: '/data/cache',
  temporaryDirectory: '/data/tmp',
  optDirectory: null,
  uid: null,
  passwdPath: null,
  hostsPath: null,
  network: 'full',
  ephemeralMb: 512,
  gpuMinors,
  objects: undefined,
})

/** The device nodes that a sandbox is given. */
function devicesIn(arrangement: Arrangement, gpuMinors: readonly number[]): string[] {
  const { args } = sandboxCommand(arrangement, HOST, content(gpuMinors), ['program'])
  return args.filter(
    (word, index) => word.startsWith('/dev/nvidia') && args[index - 1]?.startsWith('--dev-bind'),
  )
}

const hardened: Arrangement = { kind: 'bubblewrap', hardened: true, seccompPath: null }
const standard: Arrangement = { kind: 'bubblewrap', hardened: false, seccompPath: null }

nodes('hardened, a holder has those of its GPUs and what controls them, and no others', () => {
  assert.equal(devicesIn(hardened, [1, 3]), [
    '/dev/nvidia1',
    '/dev/nvidia3',
    '/dev/nvidiactl',
    '/dev/nvidia-uvm',
  ])
})

nodes('who holds none has none, hardened or not', () => {
  assert.equal(devicesIn(hardened, []), [])
  assert.equal(devicesIn(standard, []), [])
})

nodes('otherwise a holder sees all, so that numbers mean the same as outside', () => {
  assert.equal(devicesIn(standard, [1]), [...HOST.gpuDevices, ...HOST.gpuControlDevices])
})

nodes.run()
