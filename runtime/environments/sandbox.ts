import type { NetworkAccess } from '../registry/types.ts'
import type { ObjectFolders } from '../objects/segment-folders.ts'
import type { TreeShape } from './spawner/protocol.ts'

/** How processes are kept apart on this machine, weakest last. */
export type Arrangement =
  | { kind: 'bubblewrap'; hardened: boolean; seccompPath: string | null }
  | { kind: 'unshare' }
  | { kind: 'group' }

/** Where a sandboxed process finds things: the places of Lambda's own images. */
export const VIEW = {
  task: '/var/task',

  node: '/var/lang/bin/node',
  runtime: '/var/runtime',
  libraries: '/var/runtime/node_modules',
  cache: '/var/lang/cache',
  sockets: '/var/lambent',
  /** Large values: in shared memory, and on disk. */
  memory: '/var/lang/memory',
  disk: '/var/lang/disk',
} as const

/** What of this machine every sandbox is built from; read once. */
export interface SandboxHost {
  /** Whether we may give each environment a user of its own. */
  readonly isRoot: boolean
  /** Absolute and real. Nothing in it is seen from inside. */
  readonly dataDirectory: string
  readonly socketDirectory: string
  /** Holds environment.cjs. */
  readonly runtimeDirectory: string
  /** What functions may import without bringing it; null for nothing. */
  readonly librariesDirectory: string | null
  /** Empty mount points to lay over /var, for the arrangement without bubblewrap. */
  readonly skeletonDirectory: string
  readonly rootEntries: readonly HostEntry[]
  readonly variableEntries: readonly HostEntry[]
  /** Writable file systems that are to be read-only inside. */
  readonly writableMounts: readonly string[]
  /** The file behind /etc/resolv.conf where it lies under /run, which is empty inside. */
  readonly resolverPath: string | null
  /** /dev/nvidia0 and on. */
  readonly gpuDevices: readonly string[]
  /** /dev/nvidia* beside the numbered ones. */
  readonly gpuControlDevices: readonly string[]
  readonly hasPrlimit: boolean
}

/** One entry of a folder of this machine: a folder, or a symbolic link. */
export interface HostEntry {
  readonly name: string
  /** Where a symbolic link points; null for anything else. */
  readonly target: string | null
}

/** What one sandbox is to hold; all paths are absolute. */
export interface SandboxContent {
  readonly nodePath: string
  readonly taskDirectory: string
  readonly cacheDirectory: string
  readonly temporaryDirectory: string
  /** Merged layers; null for none. */
  readonly optDirectory: string | null
  /** User to become; null to stay who we are. */
  readonly uid: number | null
  /** A file to see as /etc/passwd; null for the machine's. */
  readonly passwdPath: string | null
  /** A file to see as /etc/hosts; null for the machine's. */
  readonly hostsPath: string | null
  /** Its folders for large values; undefined for none. */
  readonly objects: ObjectFolders | undefined
  readonly network: NetworkAccess
  readonly ephemeralMb: number
  /** N of each device node /dev/nvidiaN of the GPUs that it holds. */
  readonly gpuMinors: readonly number[]
}

/** A program to start, and what the spawner has to know about the tree that comes of it. */
export interface SandboxCommand {
  readonly command: string
  readonly args: string[]
  readonly shape: TreeShape
  readonly seccompPath: string | null
}

/** Open files a process starts with, as in Lambda; a limit set later may differ. */
const OPEN_FILES = 1024

/** The command that runs `program` (path as seen inside, and arguments) in a sandbox. */
export function sandboxCommand(
  arrangement: Arrangement,
  host: SandboxHost,
  content: SandboxContent,
  program: readonly string[],
): SandboxCommand {
  switch (arrangement.kind) {
    case 'bubblewrap': {
      const { hardened, seccompPath } = arrangement
      const words = [
        ['bwrap', '--info-fd', '3'],
        seccompPath === null ? [] : ['--seccomp', '4'],
        namespaces(hardened, content.network),
        hardened ? hardenedView(host, content) : standardView(host, content),
        ['--chdir', VIEW.task, '--'],
        content.uid === null ? [] : becoming(content.uid, []),
        program,
      ]
      return command(host, 'bubblewrap', seccompPath, words.flat())
    }
    case 'unshare': {
      const words = [
        ['setpriv', '--pdeathsig', 'KILL', 'unshare'],
        host.isRoot ? [] : ['--map-root-user'],
        ['--pid', '--fork', '--kill-child', '--mount-proc', '--ipc', '--uts'],
        content.network === 'full' ? [] : ['--net'],
        ['sh', '-c', content.network === 'full' ? VIEW_SCRIPT : LOOPBACK_SCRIPT + VIEW_SCRIPT, 'sandbox'],
        viewArguments(host, content),
        // Changing the user forgets the parent's-death signal, so it is asked for again.
        becoming(content.uid, ['--pdeathsig', 'KILL']),
        program,
      ]
      return command(host, 'unshare', null, words.flat())
    }
    case 'group':
      return command(host, 'group', null, program)
  }
}

function command(
  host: SandboxHost,
  shape: TreeShape,
  seccompPath: string | null,
  words: readonly string[],
): SandboxCommand {
  const limits = host.hasPrlimit ? ['prlimit', `--nofile=${OPEN_FILES}:${OPEN_FILES}`, '--core=0:0'] : []
  const [first = '', ...args] = [...limits, ...words]
  return { command: first, args, shape, seccompPath }
}

/** Gives up capabilities for good, and the engine's user and groups where there is one to become. */
const becoming = (uid: number | null, also: readonly string[]): string[] =>
  [
    ['setpriv'],
    uid === null ? [] : ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'],
    ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
    also,
  ].flat()

const namespaces = (hardened: boolean, network: NetworkAccess): string[] =>
  [
    ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent', '--new-session'],
    hardened ? ['--unshare-cgroup-try'] : [],
    network === 'full' ? [] : ['--unshare-net'],
  ].flat()

/**
 * The machine's own files, read-only, without its data directory, its sockets and its users' temporary
 * files.
 */
const standardView = (host: SandboxHost, content: SandboxContent): string[] =>
  [
    folders('/var', '/run', '/var/lang', '/var/lang/bin'),
    bindEntries('/', host.rootEntries),
    bindEntries('/var/', host.variableEntries),
    ['--perms', '1777', '--tmpfs', '/var/tmp'],
    resolver(host),
    isVisible(host.dataDirectory) ? ['--tmpfs', host.dataDirectory, '--remount-ro', host.dataDirectory] : [],
    ['--bind', content.temporaryDirectory, '/tmp'],
    commonView(host, content),
    // A holder sees all GPUs, so that the number it was given means the same as outside.
    bindDevices(content.gpuMinors.length === 0 ? [] : [...host.gpuDevices, ...host.gpuControlDevices]),
  ].flat()

/**
 * Programs, libraries, certificates and a handful of settings: nothing that belongs to this machine's
 * users.
 */
function hardenedView(host: SandboxHost, content: SandboxContent): string[] {
  const online = content.network === 'full'
  const settings = online ? [...SETTINGS, 'hosts', 'resolv.conf'] : SETTINGS
  const devices = content.gpuMinors.map((minor) => `/dev/nvidia${minor}`)
  return [
    folders('/var', '/etc', '/var/lang', '/var/lang/bin'),
    ['--ro-bind', '/usr', '/usr'],
    bindEntries(
      '/',
      host.rootEntries.filter((entry) => BESIDE_USR.includes(entry.name)),
    ),
    settings.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    online ? resolver(host) : [],
    ['--perms', '1777', '--size', String(content.ephemeralMb * 1024 * 1024), '--tmpfs', '/tmp'],
    ['--symlink', '/tmp', '/var/tmp'],
    commonView(host, content),
    bindDevices(devices.length === 0 ? [] : [...devices, ...host.gpuControlDevices]),
  ].flat()
}

/** Folders of the root that are part of /usr on most machines. */
const BESIDE_USR = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
/** What of /etc programs need to run. */
const SETTINGS =
  `alternatives ca-certificates ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types nsswitch.conf
  pki protocols services ssl`.split(/\s+/)

const commonView = (host: SandboxHost, content: SandboxContent): string[] =>
  [
    ['--dev', '/dev', '--proc', '/proc'],
    content.optDirectory === null ? ['--dir', '/opt'] : ['--ro-bind', content.optDirectory, '/opt'],
    ['--ro-bind', content.taskDirectory, VIEW.task],
    ['--ro-bind', content.cacheDirectory, VIEW.cache],
    ['--ro-bind', content.nodePath, VIEW.node],
    ['--ro-bind', host.runtimeDirectory, VIEW.runtime],
    host.librariesDirectory === null ? [] : ['--ro-bind', host.librariesDirectory, VIEW.libraries],
    ['--ro-bind', host.socketDirectory, VIEW.sockets],
    content.objects?.memory ? ['--bind', content.objects.memory, VIEW.memory] : [],
    content.objects?.disk ? ['--bind', content.objects.disk, VIEW.disk] : [],
    content.passwdPath === null ? [] : ['--ro-bind', content.passwdPath, '/etc/passwd'],
    content.hostsPath === null ? [] : ['--ro-bind', content.hostsPath, '/etc/hosts'],
    ['--remount-ro', '/'],
  ].flat()

/** Parents that bubblewrap makes by itself are closed to every user but the one it runs as. */
const folders = (...paths: readonly string[]): string[] => paths.flatMap((path) => ['--dir', path])

const bindEntries = (folder: string, entries: readonly HostEntry[]): string[] =>
  entries.flatMap(({ name, target }) =>
    target === null
      ? ['--ro-bind-try', `${folder}${name}`, `${folder}${name}`]
      : ['--symlink', target, `${folder}${name}`],
  )

const bindDevices = (paths: readonly string[]): string[] =>
  paths.flatMap((path) => ['--dev-bind-try', path, path])

const resolver = (host: SandboxHost): string[] =>
  host.resolverPath === null ? [] : ['--ro-bind-try', host.resolverPath, host.resolverPath]

/** Whether a folder of the machine would be seen in the standard view, where these are replaced. */
const isVisible = (path: string): boolean =>
  !['/tmp', '/run', '/opt', '/dev', '/proc', '/var/tmp'].some(
    (hidden) => path === hidden || path.startsWith(`${hidden}/`),
  )

/** A network of one's own begins without loopback, which the Runtime API needs. */
const LOOPBACK_SCRIPT = '{ ip link set lo up || ifconfig lo up; } 2>/dev/null\n'

/**
 * The standard view without bubblewrap, in a mount namespace that `unshare` has made. Sources are opened
 * before anything is covered and mounted through their descriptors, so that the order of mounts does not
 * matter. An overlay of empty mount points over /var makes room for what the machine's /var does not have.
 * The shell stays as the namespace's init: it reaps what is orphaned and answers 128 + the signal that
 * ended the program. Descriptor 3 is the log; what the shell and `unshare` would say about the program's
 * end does not belong there.
 */
const VIEW_SCRIPT = `exec 2>&3
set -e
task=$1 cache=$2 temporary=$3 node=$4 runtime=$5 sockets=$6 skeleton=$7; shift 7
opt=$1 data=$2 resolver=$3 passwd=$4 hosts=$5 writable=$6 libraries=$7; shift 7
memory=$1 disk=$2; shift 2
exec 4<"$task" 5<"$cache" 6<"$temporary" 7<"$node" 8<"$runtime" 9<"$sockets"
fd=/proc/self/fd
[ -z "$resolver" ] || names=$(cat "$resolver")
[ -z "$passwd" ] || mount -n --bind "$passwd" /etc/passwd
[ -z "$hosts" ] || [ ! -e /etc/hosts ] || mount -n --bind "$hosts" /etc/hosts
if [ -n "$opt" ]; then mount -n --bind "$opt" /opt; mount -n -o remount,bind,ro /opt
else mount -n -t tmpfs -o ro,mode=755 tmpfs /opt; fi
cd "\${disk:-/}" # kept open this way: what it lies in may be covered next
(cd "$skeleton"; mount -n -t overlay -o ro,lowerdir=.:/var overlay /var)
[ -z "$disk" ] || mount -n -c --bind . ${VIEW.disk}
cd /
[ -z "$memory" ] || mount -n --bind "$memory" ${VIEW.memory}
mount -n -c --bind $fd/4 ${VIEW.task}
mount -n -o remount,bind,ro ${VIEW.task}
mount -n -c --bind $fd/5 ${VIEW.cache}
mount -n -o remount,bind,ro ${VIEW.cache}
mount -n -c --bind $fd/7 ${VIEW.node}
mount -n -c --bind $fd/8 ${VIEW.runtime}
if [ -n "$libraries" ]; then
  mount -n --bind "$libraries" ${VIEW.libraries}; mount -n -o remount,bind,ro ${VIEW.libraries}
fi
mount -n -c --bind $fd/9 ${VIEW.sockets}
mount -n -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -n -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -n -t tmpfs -o mode=755 tmpfs /run
[ -z "$resolver" ] || { mkdir -p "\${resolver%/*}"; printf '%s\\n' "$names" > "$resolver"; }
mount -n -o remount,bind,ro /run
[ -z "$data" ] || mount -n -t tmpfs -o ro,mode=755 tmpfs "$data"
IFS='
'
for point in $writable; do mount -n -o remount,bind,ro "$point"; done
unset IFS
mount -n -c --bind $fd/6 /tmp
mount -n -o remount,bind,rw /tmp
cd ${VIEW.task}
set +e
exec 2>/dev/null 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
"$@" 2>&3 3>&-
exit $?`

const viewArguments = (host: SandboxHost, content: SandboxContent): string[] => [
  content.taskDirectory,
  content.cacheDirectory,
  content.temporaryDirectory,
  content.nodePath,
  host.runtimeDirectory,
  host.socketDirectory,
  host.skeletonDirectory,
  content.optDirectory ?? '',
  isVisible(host.dataDirectory) ? host.dataDirectory : '',
  host.resolverPath ?? '',
  content.passwdPath ?? '',
  content.hostsPath ?? '',
  host.writableMounts.join('\n'),
  host.librariesDirectory ?? '',
  content.objects?.memory ?? '',
  content.objects?.disk ?? '',
]
