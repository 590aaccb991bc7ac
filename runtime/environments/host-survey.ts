import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { VIEW, type HostEntry, type SandboxHost } from './sandbox.ts'
import type { CgroupPlace } from './spawner/protocol.ts'

/**
 * Looking at the machine we run on: what lies in its root, what is mounted, which control groups we may
 * use.
 */

/** File systems that are an interface of the kernel and not a place for files. */
const KERNEL_FILE_SYSTEMS = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs proc
  pstore rpc_pipefs securityfs sysfs tracefs`.split(/\s+/),
)

interface Mount {
  /** The part of the file system that is mounted. */
  readonly root: string
  readonly point: string
  readonly writable: boolean
  readonly type: string
  readonly options: string
}

/**
 * Prepares what all sandboxes share below `directory`, which must not exist, and looks at the machine
 * around it.
 */
export function prepareSandboxHost(options: {
  directory: string
  dataDirectory: string
  socketDirectory: string
  /** What environments run, for every language that has a program of ours. */
  programs: readonly string[]
  /** What functions may import without bringing it; null for nothing. */
  librariesDirectory?: string | null | undefined
}): SandboxHost {
  const { directory } = options
  const runtimeDirectory = join(directory, 'runtime')
  const skeletonDirectory = join(directory, 'skeleton')
  const mountPoints = [
    ...[VIEW.task, VIEW.runtime, VIEW.cache, VIEW.sockets, VIEW.memory, VIEW.disk],
    ...[dirname(VIEW.node), '/var/tmp'],
  ]
  const librariesDirectory = options.librariesDirectory ?? null
  for (const folder of [
    join(runtimeDirectory, basename(VIEW.libraries)),
    ...mountPoints.map((point) => join(skeletonDirectory, point.slice(5))),
  ])
    mkdirSync(folder, { recursive: true })
  writeFileSync(join(skeletonDirectory, VIEW.node.slice(5)), '')
  // Copies: a running engine keeps its programs when new ones are built over them, and others can read them.
  for (const path of options.programs) copyFileSync(path, join(runtimeDirectory, basename(path)))
  openToAll(directory)
  return {
    isRoot: process.getuid?.() === 0,
    dataDirectory: realpathSync(options.dataDirectory),
    socketDirectory: realpathSync(options.socketDirectory),
    runtimeDirectory: realpathSync(runtimeDirectory),
    librariesDirectory: librariesDirectory === null ? null : realpathSync(librariesDirectory),
    skeletonDirectory: realpathSync(skeletonDirectory),
    rootEntries: listEntries('/', ['proc', 'dev', 'tmp', 'var', 'opt', 'run']),
    variableEntries: listEntries('/var', ['tmp', 'task', 'runtime', 'lang', 'lambent']),
    writableMounts: writableMounts(),
    resolverPath: resolverUnderRun(),
    gpuDevices: devices(/^nvidia\d+$/),
    gpuControlDevices: devices(/^nvidia(ctl|-)/),
    hasPrlimit: findProgram('prlimit') !== undefined,
  }
}

/** Entries of a folder; none where it cannot be read. */
export function listEntries(folder: string, except: readonly string[]): HostEntry[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !except.includes(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()))
      .map((entry) => ({
        name: entry.name,
        target: entry.isSymbolicLink() ? readlinkSync(join(folder, entry.name)) : null,
      }))
  } catch {
    return []
  }
}

/** Everything mounted for this process, in mount order. */
function listMounts(): Mount[] {
  let text: string
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return []
  }
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [, , , root = '', point = '', flags = ''] = before.split(' ')
      const [type = '', , options = ''] = after.split(' ')
      return {
        root,
        // Blanks are written as octal escapes.
        point: point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
        writable: flags.split(',').includes('rw'),
        type,
        options,
      }
    })
}

/** Mount points of writable file systems that a sandbox would see and does not replace. */
export function writableMounts(): string[] {
  const replaced = ['/proc', '/sys', '/dev', '/run', '/opt', '/tmp', '/var']
  const points = listMounts()
    .filter((mount) => mount.writable && !KERNEL_FILE_SYSTEMS.has(mount.type))
    .map((mount) => mount.point)
    .filter((point) => !replaced.some((folder) => point === folder || point.startsWith(`${folder}/`)))
  return [...new Set(points)]
}

/** The file behind /etc/resolv.conf when a sandbox with an empty /run would lose it. */
export function resolverUnderRun(): string | null {
  try {
    const path = realpathSync('/etc/resolv.conf')
    return path.startsWith('/run/') ? path : null
  } catch {
    return null
  }
}

/** An executable by name on the fixed path that the spawner uses; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  return '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/**
 * Where groups for environments can be made, tried by making one: below the engine's own group, so that
 * whatever bounds the engine bounds them. A string says why there is no such place.
 */
export function findCgroup(prefix: string): CgroupPlace | string {
  const mounts = listMounts()
  const memoryMount = mounts.find((mount) => mount.type === 'cgroup' && hasOption(mount, 'memory'))
  if (memoryMount !== undefined) {
    const memory = ownFolder(memoryMount, 'memory')
    const pidsMount = mounts.find((mount) => mount.type === 'cgroup' && hasOption(mount, 'pids'))
    const pids = pidsMount === undefined ? null : ownFolder(pidsMount, 'pids')
    const problem = tryGroup(memory, prefix, 'memory.limit_in_bytes', '-1')
    if (problem !== null) return problem
    const bounded = pids !== null && tryGroup(pids, prefix, 'pids.max', 'max') === null
    return { version: 1, memory, pids: bounded ? pids : null, prefix }
  }
  const unified = mounts.find((mount) => mount.type === 'cgroup2')
  if (unified === undefined) return 'no memory control group is mounted'
  const folder = ownFolder(unified, '')
  const problem = tryGroup(folder, prefix, 'memory.max', 'max')
  if (problem !== null) return problem
  const bounded = tryGroup(folder, prefix, 'pids.max', 'max') === null
  return { version: 2, memory: folder, pids: bounded ? folder : null, prefix }
}

const hasOption = (mount: Mount, name: string): boolean => mount.options.split(',').includes(name)

/** The folder of the group that this process is in. */
function ownFolder(mount: Mount, controller: string): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .map((text) => text.split(':'))
    .find(([, controllers = '']) => controllers.split(',').includes(controller))
  const path = line?.slice(2).join(':') ?? '/'
  // In a container the mount may begin at the container's own group.
  const below = mount.root !== '/' && path.startsWith(mount.root) ? path.slice(mount.root.length) : path
  const folder = join(mount.point, below)
  return existsSync(folder) ? folder : mount.point
}

function tryGroup(parent: string, prefix: string, file: string, value: string): string | null {
  const folder = join(parent, `${prefix}probe-${process.pid}`)
  try {
    mkdirSync(folder)
  } catch (error) {
    return `${parent} is not writable (${(error as NodeJS.ErrnoException).code})` // fs throws nothing else
  }
  try {
    writeFileSync(join(folder, file), value, { flag: 'r+' })
    return null
  } catch (error) {
    return `${file} cannot be set below ${parent} (${(error as NodeJS.ErrnoException).code})` // fs throws nothing else
  } finally {
    rmdirSync(folder)
  }
}

/** Readable for every user whatever the engine's umask is. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openToAll(path)
    else chmodSync(path, 0o644)
  }
}

const devices = (pattern: RegExp): string[] =>
  readdirSync('/dev')
    .filter((name) => pattern.test(name))
    .map((name) => `/dev/${name}`)
