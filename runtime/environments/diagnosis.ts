import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { entryPath } from '../entries.ts'
import { messageOf } from '../errors.ts'
import { findCgroup, findProgram, prepareSandboxHost } from './host-survey.ts'
import { chooseIsolation } from './isolation.ts'

/** One thing that starting processes well depends on. */
export interface HostCheck {
  readonly name: string
  readonly ok: boolean
  /** What was found. */
  readonly detail: string
  /** What to do where it is not ok; empty otherwise. */
  readonly hint: string
}

/** Below this many open files an engine with a few hundred connections runs out. */
const ENOUGH_OPEN_FILES = 4096
const ENOUGH_SHARED_MEMORY_MB = 256
const COMMAND_LIMIT_MS = 5000

/** Tries what environments are made of on this machine, each piece by running it once. Changes nothing. */
export async function diagnoseHost(clock: Clock): Promise<HostCheck[]> {
  const directory = mkdtempSync(join(tmpdir(), 'lambent-doctor-'))
  try {
    return [
      ...(await isolationChecks(directory, clock)),
      ...['setpriv', 'unshare', 'prlimit'].map(programCheck),
      controlGroupCheck(),
      sharedMemoryCheck(),
      openFilesCheck(),
      await commandCheck(
        'nvidia-smi',
        ['--query-gpu=name', '--format=csv,noheader'],
        'No GPU is found; declare them with --resources if there are any.',
      ),
      await commandCheck(
        npmPath(),
        ['--version'],
        'Install npm: other Node.js versions than the engine’s own are fetched with it.',
      ),
    ]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function isolationChecks(directory: string, clock: Clock): Promise<HostCheck[]> {
  const folder = (name: string): string => join(directory, name)
  for (const name of ['data', 'sockets']) mkdirSync(folder(name))
  mkdirSync(folder('data/shared'))
  const host = prepareSandboxHost({
    directory: folder('data/shared'),
    dataDirectory: folder('data'),
    socketDirectory: folder('sockets'),
    programs: [entryPath('environment.cjs'), entryPath('bootstrap.py')],
  })
  const attempts = [
    { name: 'isolation: bubblewrap', choice: 'standard', means: 'bubblewrap', useBubblewrap: true },
    { name: 'isolation: hardened', choice: 'hardened', means: 'bubblewrap', useBubblewrap: true },
    {
      name: 'isolation: user namespaces',
      choice: 'standard',
      means: 'setpriv + unshare',
      useBubblewrap: false,
    },
  ] as const
  const checks: HostCheck[] = []
  for (const { name, choice, means, useBubblewrap } of attempts) {
    // Control groups have a check of their own.
    const cgroup = 'not asked'
    const options = { choice, host, directory: folder('data/shared'), cgroup, useBubblewrap, clock }
    const { report } = await chooseIsolation(options)
    const ok = report.effective === choice && report.means === means
    const lack = report.missing.find((missing) => missing.name !== 'control groups')
    checks.push({
      name,
      ok,
      detail: ok ? `${report.effective} works (${means})` : (lack?.reason ?? ''),
      hint: ok ? '' : (lack?.hint ?? ''),
    })
  }
  return checks
}

function programCheck(name: string): HostCheck {
  const path = findProgram(name)
  return path === undefined
    ? { name, ok: false, detail: 'not installed', hint: 'Install the package "util-linux".' }
    : { name, ok: true, detail: path, hint: '' }
}

function controlGroupCheck(): HostCheck {
  const name = 'control groups'
  const place = findCgroup('lambent-doctor-')
  if (typeof place !== 'string') {
    const bounds = place.pids === null ? 'memory' : 'memory and processes'
    return { name, ok: true, detail: `version ${place.version}: ${bounds} in ${place.memory}`, hint: '' }
  }
  const hint =
    'Memory is bounded by a data limit and a watchdog instead. Exact limits need root or Delegate=yes.'
  return { name, ok: false, detail: place, hint }
}

function sharedMemoryCheck(): HostCheck {
  const name = '/dev/shm'
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    const sizeMb = Math.floor((bavail * bsize) / (1024 * 1024))
    const ok = sizeMb >= ENOUGH_SHARED_MEMORY_MB
    const hint = 'Give it more: mount -o remount,size=2G /dev/shm, or --shm-size in a container.'
    return { name, ok, detail: `${sizeMb} MB free`, hint: ok ? '' : hint }
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), hint: 'Objects are kept on disk instead.' }
  }
}

function openFilesCheck(): HostCheck {
  const name = 'open files'
  let limit: number
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    limit = Number(/^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1])
  } catch (error) {
    return { name, ok: true, detail: `not known here: ${messageOf(error)}`, hint: '' }
  }
  // NaN stands for "unlimited".
  const ok = !(limit < ENOUGH_OPEN_FILES)
  return { name, ok, detail: String(limit), hint: ok ? '' : 'Raise it: ulimit -n 65536, or LimitNOFILE=.' }
}

function npmPath(): string {
  return findProgram('npm') ?? join(dirname(process.execPath), 'npm')
}

function commandCheck(path: string, args: readonly string[], hint: string): Promise<HostCheck> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return new Promise((resolve) => {
    execFile(path, args, { timeout: COMMAND_LIMIT_MS }, (error, stdout) => {
      if (error === null) resolve({ name, ok: true, detail: stdout.trim().replaceAll('\n', ', '), hint: '' })
      else resolve({ name, ok: false, detail: error.message.split('\n')[0] ?? '', hint })
    })
  })
}
