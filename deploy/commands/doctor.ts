import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { diagnoseHost } from '../../runtime/environments/diagnosis.ts'
import type { Session } from '../session.ts'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { table } from '../output.ts'
import { isRecord, text } from '../shapes.ts'
import { packageRoot } from './version.ts'

/**
 * One thing that was looked at. `missing` is what Lambent cannot work without, `limited` what it works
 * around.
 */
export interface Check {
  readonly name: string
  readonly verdict: 'ok' | 'limited' | 'missing'
  readonly found: string
  /** What to do about it. */
  readonly hint?: string
}

const OLDEST_NODE = [20, 19] as const

/** `lambent doctor`: what this machine offers; exit code 1 when something needed is missing. */
export async function doctor(session: Session): Promise<ExitCode> {
  const { out } = session
  const checks = [
    nodeVersion(),
    builtPrograms(),
    await sqlite(),
    dataFolder(session.environment.LAMBENT_DATA ?? '.lambent'),
    ...secrets(session.environment.LAMBENT_DATA ?? '.lambent'),
    machine(),
    ...(await host()),
    await engine(session),
  ]
  await out.answer({ ok: checks.every(isFine), checks }, () => {
    const rows = checks.map((check) => [check.verdict, check.name, check.found])
    const hints = checks
      .filter((check) => check.hint !== undefined)
      .map((check) => `${check.name}: ${check.hint}`)
    return [table(['', 'WHAT', 'FOUND'], rows), ...(hints.length === 0 ? [] : ['', ...hints])].join('\n')
  })
  return checks.every(isFine) ? EXIT.ok : EXIT.failed
}

const isFine = (check: Check): boolean => check.verdict !== 'missing'

function nodeVersion(): Check {
  const found = process.versions.node
  const [major = 0, minor = 0] = found.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST_NODE
  const isNewEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
  if (isNewEnough) return { name: 'Node.js', verdict: 'ok', found }
  return {
    name: 'Node.js',
    verdict: 'missing',
    found,
    hint: `Lambent needs ${OLDEST_NODE.join('.')} or newer.`,
  }
}

function builtPrograms(): Check {
  const name = 'programs'
  const root = packageRoot()
  const missing = ['spawner.js', 'environment.cjs', 'committer.js', 'packager.js'].filter(
    (program) => !existsSync(`${root}/dist/entry/${program}`),
  )
  if (missing.length === 0) return { name, verdict: 'ok', found: `${root}/dist` }
  return { name, verdict: 'missing', found: `no ${missing.join(', ')}`, hint: 'Run: npm run build' }
}

async function sqlite(): Promise<Check> {
  const name = 'SQLite'
  try {
    const { default: Database } = await import('better-sqlite3')
    new Database(':memory:').close()
    return { name, verdict: 'ok', found: 'better-sqlite3 works' }
  } catch (error) {
    const found = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    const hint =
      'It is compiled at installation: it needs python3, make and a C++ compiler, then `npm rebuild`.'
    return { name, verdict: 'missing', found, hint }
  }
}

function dataFolder(path: string): Check {
  const name = 'data folder'
  const folder = resolve(path)
  try {
    let existing = folder
    while (!existsSync(existing)) existing = dirname(existing)
    accessSync(existing, constants.W_OK)
    const { bavail, bsize } = statfsSync(existing)
    const freeMb = Math.floor((bavail * bsize) / 1e6)
    if (freeMb >= 1000) return { name, verdict: 'ok', found: `${folder}, ${freeMb} MB free` }
    return {
      name,
      verdict: 'limited',
      found: `${folder}, ${freeMb} MB free`,
      hint: 'Less than 1 GB is free.',
    }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    return {
      name,
      verdict: 'missing',
      found,
      hint: 'Name a folder you may write to: LAMBENT_DATA or --data.',
    }
  }
}

/** Keys are as safe as the files that hold them: nobody but their owner may read those. */
function secrets(path: string): Check[] {
  const folder = resolve(path)
  const open = ['.', 'master.key', 'first-key'].filter((name) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false })
    return found !== undefined && (found.mode & 0o077) !== 0
  })
  if (!existsSync(join(folder, 'master.key'))) return []
  if (open.length === 0) return [{ name: 'keys', verdict: 'ok', found: 'only their owner may read them' }]
  const paths = open.map((name) => join(folder, name)).join(' ')
  return [{ name: 'keys', verdict: 'limited', found: `others may read ${paths}`, hint: `chmod go= ${paths}` }]
}

function machine(): Check {
  const found = `${availableParallelism()} cpu, ${Math.floor(totalmem() / 1e6)} MB memory, ${process.platform}`
  if (process.platform === 'linux') return { name: 'machine', verdict: 'ok', found }
  return { name: 'machine', verdict: 'limited', found, hint: 'Isolation and memory limits need Linux.' }
}

/** What environments are made of. Nothing of it is needed to run at all: `--require-isolation` insists. */
async function host(): Promise<Check[]> {
  const found = await diagnoseHost(systemClock)
  return found.map(({ name, ok, detail, hint }) => ({
    name,
    verdict: ok ? 'ok' : 'limited',
    found: detail.replace(/^spawn \S+ ENOENT$/, 'not installed'),
    ...(ok || hint === '' ? {} : { hint }),
  }))
}

/** A stopped engine is no fault of the machine: doctor is what one runs before starting it. */
async function engine({ api }: Session): Promise<Check> {
  const name = 'engine'
  try {
    const health = await api.json({ path: '/lambent/v1/health' })
    const state = isRecord(health) ? text(health.status) : 'unknown'
    return { name, verdict: state === 'ok' ? 'ok' : 'limited', found: `${state} at ${api.endpoint}` }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    const hint = error instanceof CommandError && error.exitCode !== EXIT.unreachable ? error.hint : undefined
    return { name, verdict: 'limited', found, ...(hint === undefined ? {} : { hint }) }
  }
}
