import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import { findProgram } from './host-survey.ts'
import { ISOLATION_LEVELS, type IsolationLevel, type IsolationReport } from './launcher.ts'
import { sandboxCommand, VIEW, type Arrangement, type SandboxHost } from './sandbox.ts'
import { seccompProgram } from './seccomp.ts'
import type { CgroupPlace } from './spawner/protocol.ts'

/** What a user asks for: a level, or the default, which is standard where it works. */
export type IsolationChoice = 'auto' | IsolationLevel

/** What was chosen: how sandboxes are made, and the same in words for whoever asks. */
export interface Isolation {
  readonly arrangement: Arrangement
  readonly report: IsolationReport
}

/** First of the users that environments run as when the engine is root, and how many there are. */
export const FIRST_ENVIRONMENT_UID = 60_000
export const ENVIRONMENT_UIDS = 1184

/** A sandbox that has not answered by then does not work here. */
const PROBE_LIMIT_MS = 10_000

type Missing = IsolationReport['missing'][number]

/**
 * The strongest arrangement that works here and that `choice` asks for. Each is tried by running a program
 * in it once: that a tool is installed says little about what a container or a kernel setting allows.
 */
export async function chooseIsolation(options: {
  choice: IsolationChoice
  host: SandboxHost
  /** A folder of ours to put what the trials need. */
  directory: string
  /** Where control groups work, or why they do not. */
  cgroup: CgroupPlace | string
  /** False leaves bubblewrap out even where it works. */
  useBubblewrap?: boolean
  clock: Clock
}): Promise<Isolation> {
  const { choice, host, directory, cgroup, useBubblewrap = true, clock } = options
  const missing: Missing[] = []
  const report = (level: IsolationLevel, arrangement: Arrangement, means: string): Isolation => ({
    arrangement,
    report: {
      requested: choice,
      effective: level,
      means,
      missing,
      memory: memoryMeans(host, cgroup),
      killsTree: arrangement.kind !== 'group',
    },
  })
  if (typeof cgroup === 'string') missing.push({ name: 'control groups', reason: cgroup, hint: CGROUP_HINT })
  if (choice !== 'none') {
    const trial = (arrangement: Arrangement) => tryArrangement(arrangement, host, directory, clock)
    if (choice === 'hardened' && useBubblewrap) {
      const found = await findHardened(directory, trial, missing)
      if (found !== undefined) return report('hardened', found, 'bubblewrap')
    }
    const bubblewrap: Arrangement = { kind: 'bubblewrap', hardened: false, seccompPath: null }
    const reason = useBubblewrap
      ? (missingProgram('bwrap', ...(host.isRoot ? ['setpriv'] : [])) ?? (await trial(bubblewrap)))
      : 'it is left out on purpose'
    if (reason === undefined) return report('standard', bubblewrap, 'bubblewrap')
    missing.push({ name: 'bubblewrap', reason, hint: BUBBLEWRAP_HINT })
    const unshare: Arrangement = { kind: 'unshare' }
    const otherReason = missingProgram('setpriv', 'unshare', 'mount') ?? (await trial(unshare))
    if (otherReason === undefined) return report('standard', unshare, 'setpriv + unshare')
    missing.push({ name: 'setpriv + unshare', reason: otherReason, hint: NAMESPACE_HINT })
  }
  return report('none', { kind: 'group' }, 'process group')
}

/**
 * Throws EngineError 'unsupported', with everything that is missing as its hint, when less than `level` is
 * reached.
 */
export function requireIsolation(report: IsolationReport, level: IsolationLevel): void {
  if (ISOLATION_LEVELS.indexOf(report.effective) >= ISOLATION_LEVELS.indexOf(level)) return
  const asked = report.requested === 'none' ? [`It was started with isolation "none".`] : []
  const lacks = report.missing.map(({ name, reason, hint }) => `${name}: ${reason}. ${hint}`)
  throw new EngineError(
    'unsupported',
    `Isolation "${level}" is required, and "${report.effective}" (${report.means}) is what works here.`,
    { hint: [...asked, ...lacks].join(' '), detail: report.effective },
  )
}

const BUBBLEWRAP_HINT =
  'Install the package "bubblewrap"; in a container allow user namespaces or CAP_SYS_ADMIN.'
const NAMESPACE_HINT =
  'Allow namespaces: kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, or run as root with CAP_SYS_ADMIN.'
const CGROUP_HINT =
  'Run as root, or in a delegated group (systemd: Delegate=yes); until then memory is bounded by a data limit and a watchdog.'

async function findHardened(
  directory: string,
  trial: (arrangement: Arrangement) => Promise<string | undefined>,
  missing: Missing[],
): Promise<Arrangement | undefined> {
  const program = seccompProgram(process.arch)
  const absent = missingProgram('bwrap', 'setpriv')
  if (program === undefined || absent !== undefined) {
    const reason = absent ?? `no system call filter is known for ${process.arch}`
    missing.push({ name: 'hardened', reason, hint: BUBBLEWRAP_HINT })
    return undefined
  }
  const seccompPath = join(directory, 'seccomp.bpf')
  writeFileSync(seccompPath, program, { mode: 0o600 })
  const arrangement: Arrangement = { kind: 'bubblewrap', hardened: true, seccompPath }
  const reason = await trial(arrangement)
  if (reason === undefined) return arrangement
  missing.push({ name: 'hardened', reason, hint: BUBBLEWRAP_HINT })
  return undefined
}

function memoryMeans(host: SandboxHost, cgroup: CgroupPlace | string): string {
  if (typeof cgroup !== 'string') return `cgroup v${cgroup.version}`
  if (process.platform !== 'linux') return 'none'
  return host.hasPrlimit ? 'data limit + watchdog' : 'watchdog'
}

function missingProgram(...names: readonly string[]): string | undefined {
  if (process.platform !== 'linux') return `${process.platform} has no namespaces`
  const absent = names.filter((name) => findProgram(name) === undefined)
  return absent.length === 0 ? undefined : `${absent.join(', ')} not installed`
}

/**
 * Runs our Node.js in the arrangement, as every environment will be; undefined when it works, else why not.
 */
async function tryArrangement(
  arrangement: Arrangement,
  host: SandboxHost,
  directory: string,
  clock: Clock,
): Promise<string | undefined> {
  const folder = (name: string): string => join(directory, 'trial', name)
  for (const name of ['task', 'cache', 'tmp']) mkdirSync(folder(name), { recursive: true })
  const content = {
    nodePath: process.execPath,
    taskDirectory: folder('task'),
    cacheDirectory: folder('cache'),
    temporaryDirectory: folder('tmp'),
    optDirectory: null,
    uid: host.isRoot ? FIRST_ENVIRONMENT_UID : null,
    passwdPath: null,
    hostsPath: null,
    objects: undefined,
    network:
      arrangement.kind === 'bubblewrap' && arrangement.hardened ? ('none' as const) : ('full' as const),
    ephemeralMb: 1,
    gpuMinors: [],
  }
  const check = `test -r ${VIEW.runtime}/environment.cjs && test -d ${VIEW.sockets} && exec ${VIEW.node} --version`
  const { command, args, seccompPath } = sandboxCommand(arrangement, host, content, ['/bin/sh', '-c', check])
  try {
    return await runOnce(command, args, seccompPath, clock)
  } finally {
    rmSync(join(directory, 'trial'), { recursive: true, force: true })
  }
}

function runOnce(
  command: string,
  args: readonly string[],
  seccompPath: string | null,
  clock: Clock,
): Promise<string | undefined> {
  const seccomp = seccompPath === null ? undefined : openSync(seccompPath, 'r')
  const child = spawn(command, args, {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', seccomp ?? 'ignore'],
  })
  if (seccomp !== undefined) closeSync(seccomp)
  return new Promise((resolve) => {
    let output = ''
    const timer = clock.after(PROBE_LIMIT_MS, () => {
      child.kill('SIGKILL')
      resolve(`no answer after ${PROBE_LIMIT_MS} ms`)
    })
    // bubblewrap tells its child on fd 3; without it the sandbox's complaints come there.
    for (const stream of [child.stderr, child.stdio[3]]) {
      stream?.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(0, 1000)))
    }
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code) => {
      timer.cancel()
      const line = output.split('\n').find((text) => /^[^{}\s]/.test(text))
      resolve(code === 0 ? undefined : line || `it ended with ${code}`)
    })
  })
}
