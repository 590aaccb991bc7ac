import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { declaredGpus, gpuVariables, minorsOf } from '../../../runtime/environments/gpu-devices.ts'
import { createGpuProbe, discoverGpus, onlyVisible } from '../../../runtime/environments/gpu-discovery.ts'
import { createLog } from '../../../runtime/log.ts'
import { findGpus } from '../../../runtime/scheduler/machine.ts'
import { createFakeClock } from '../../support/clock.ts'
import { unlessMissing } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const discovering = suite('discovering GPUs')
const clock = createFakeClock()
const told: string[] = []
const log = createLog({ level: 'info', clock, sink: (line) => void told.push(line) })

/** A command that answers like the driver's own; `body` is a shell script. */
function scripted(folder: { join(name: string): string }, body: string): string {
  const path = folder.join('nvidia-smi')
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

const TWO = `case "$1" in
  --query-gpu=*)
    echo "0, GPU-aaaa-1, NVIDIA H100 80GB HBM3, 81559, 00000000:3B:00.0"
    echo "1, GPU-bbbb-2, NVIDIA A100-SXM4-40GB, [N/A], 00000000:86:00.0" ;;
  --query-compute-apps=*)
    echo "GPU-bbbb-2, 4242"
    echo "GPU-bbbb-2, 4243" ;;
esac`

discovering('what nvidia-smi says becomes devices, and processes by device', async () => {
  using folder = temporaryDirectory()
  const probe = createGpuProbe({ tool: scripted(folder, TWO) })

  assert.equal(await probe.devices(), [
    {
      index: 0,
      uuid: 'GPU-aaaa-1',
      minor: 0,
      model: 'nvidia-h100-80gb-hbm3',
      memoryMb: 81_559,
      declared: false,
    },
    {
      index: 1,
      uuid: 'GPU-bbbb-2',
      minor: 1,
      model: 'nvidia-a100-sxm4-40gb',
      memoryMb: undefined,
      declared: false,
    },
  ])
  assert.equal([...(await probe.processes())], [['GPU-bbbb-2', [4242, 4243]]])
})

discovering('the command is found on PATH, and only what the engine may see is offered', async () => {
  using folder = temporaryDirectory()
  scripted(folder, TWO)
  const before = process.env.PATH
  process.env.PATH = `${folder.path}${delimiter}${before}`
  try {
    const all = await findGpus({ resources: { cpu: 1 }, visibleGpus: undefined }, clock, log)
    const one = await findGpus({ resources: { cpu: 1 }, visibleGpus: 'GPU-bbbb' }, clock, log)
    const none = await findGpus({ resources: { cpu: 1 }, visibleGpus: '' }, clock, log)
    const declared = await findGpus({ resources: { gpu: 3 }, visibleGpus: undefined }, clock, log)

    assert.equal(
      all.devices.map(({ index }) => index),
      [0, 1],
    )
    assert.equal(
      one.devices.map(({ index }) => index),
      [1],
    )
    assert.equal(none.devices, [])
    assert.is(declared.devices.length, 3)
    assert.is(declared.check, undefined, 'what was declared is not looked at')
    all.check?.close()
    one.check?.close()
  } finally {
    process.env.PATH = before
  }
})

discovering('a variable that names GPUs ends at the first that is none, as in CUDA', () => {
  const devices = [0, 1, 2].map((index) => ({ index, uuid: `GPU-${index}`, declared: false }))
  const visible = (text: string): number[] => onlyVisible(devices, text).map(({ index }) => index)

  assert.equal(visible('2,0'), [0, 2])
  assert.equal(visible('0,7,1'), [0])
  assert.equal(visible('-1'), [])
  assert.equal(visible('GPU-1, 2'), [1, 2])
})

discovering('a driver that fails or hangs counts as none, and that is told', async () => {
  using folder = temporaryDirectory()
  const broken = createGpuProbe({
    tool: scripted(folder, 'echo "NVIDIA-SMI has failed because it could not reach the driver." >&2; exit 9'),
  })
  told.length = 0

  assert.equal(await discoverGpus(broken, undefined, log), [])
  assert.match(told.join('\n'), 'NVIDIA-SMI has failed')

  const hanging = createGpuProbe({ tool: scripted(folder, 'exec sleep 60') })
  let failure = ''
  await hanging.processes().catch((error: Error) => (failure = error.message))
  assert.match(failure, 'did not answer for 2000 ms')
})

discovering('a machine without the command and without a driver has none', async () => {
  assert.equal(await createGpuProbe({ tool: 'no-such-nvidia-smi' }).devices(), [])
})

const missing = (): string | undefined => {
  try {
    createRequire(import.meta.url)('koffi')
    execFileSync('gcc', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'the driver’s library is stood in for by a compiled one: it needs gcc and koffi'
  }
}

unlessMissing(discovering, missing())(
  'without the command the driver’s library is asked, in a process of its own',
  async () => {
    using folder = temporaryDirectory()
    const library = folder.join('libnvidia-ml.so.1')
    const source = fileURLToPath(new URL('fake-nvml.c', import.meta.url))
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source])
    const probe = createGpuProbe({ tool: 'no-such-nvidia-smi', library })

    assert.equal(
      await probe.devices(),
      [0, 1].map((index) => ({
        index,
        uuid: `GPU-fake-${index}`,
        minor: 7 - index,
        model: 'nvidia-a100-sxm4-80gb',
        memoryMb: 81_920,
        declared: false,
      })),
    )
    assert.equal([...(await probe.processes())], [['GPU-fake-1', [4242, 4243]]])
  },
)

discovering('amounts declare GPUs, those of a model first', () => {
  assert.equal(
    declaredGpus({ cpu: 4, 'gpu:h100': 2, gpu: 3, gpuMemoryMb: 80_000 }).map(({ model }) => model),
    ['h100', 'h100', undefined],
  )
  assert.equal(declaredGpus({ cpu: 4 }), [])
})

discovering('a holder is told its GPUs, by uuid where it does not see the others', () => {
  const devices = [{ index: 3, uuid: 'GPU-x', minor: 1, declared: false }]

  assert.is(gpuVariables(devices, [3], false).CUDA_VISIBLE_DEVICES, '3')
  assert.is(gpuVariables(devices, [3], true).CUDA_VISIBLE_DEVICES, 'GPU-x')
  assert.equal(gpuVariables(devices, [], true), {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: '',
    NVIDIA_VISIBLE_DEVICES: 'void',
  })
  assert.equal(minorsOf(devices, [3]), [1])
})

discovering.run()
