import { watch, type FSWatcher } from 'chokidar'
import { basename, resolve } from 'node:path'
import { deployPaths } from '../deploying.ts'
import type { DeployedFunction } from '../deployer.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { configure, serve, untilStopped } from '../serving.ts'
import type { Session, StartFlags } from '../session.ts'

/** Editors write in several steps: changes closer together than this are one. */
const SETTLE_MS = 30
const IGNORED = new Set(['node_modules', '.git', '.lambent', 'dist'])

/**
 * `lambent dev [DIR]`: starts, deploys, and deploys again at every change; functions' logs go to stdout. A
 * deploy that fails is told, and the code before it goes on serving.
 */
export async function dev(session: Session, folder: string, flags: StartFlags): Promise<ExitCode> {
  const { out, signal } = session
  const config = configure(flags, session.environment)
  const lambent = await serve(session, config)
  const paths = [folder, ...config.deploy]
  using _tail = lambent.engine.journal.follow({ scope: DEFAULT_SCOPE }, (line) => {
    void out.data(
      out.json ? `${JSON.stringify(line)}\n` : `${out.paint.dim(line.functionName)} ${line.message}\n`,
    )
  })
  const watcher = watch(
    paths.map((path) => resolve(path)),
    {
      ignored: (path) => IGNORED.has(basename(path)),
      ignoreInitial: true,
    },
  )
  const redeploy = serialized(async () => {
    const startedMs = performance.now()
    try {
      const deployed = await deployPaths({ ...session, key: lambent.ownKey }, lambent.urls.inner, paths)
      // Sources outside the folders, such as a shared library, are watched once a bundle has named them.
      watcher.add(
        deployed.flatMap(({ inputs }) => [...inputs]).filter((path) => !path.includes('/node_modules/')),
      )
      report(session, deployed, performance.now() - startedMs)
    } catch (error) {
      if (signal.aborted) return
      out.note(out.paint.red(error instanceof Error ? error.message : String(error)))
    }
  })
  await redeploy()
  await out.data(`lambent ready api=${lambent.urls.api} http=${lambent.urls.ingress}\n`)
  onChange(watcher, redeploy)
  await untilStopped(session, lambent)
  await watcher.close()
  return EXIT.ok
}

const DEFAULT_SCOPE = { account: '000000000000', region: 'us-east-1' }

function report({ out }: Session, deployed: readonly DeployedFunction[], durationMs: number): void {
  const changed = deployed.filter(({ outcome }) => outcome !== 'unchanged').map(({ name }) => name)
  if (changed.length > 0)
    out.note(out.paint.green(`deployed ${changed.join(', ')} in ${Math.round(durationMs)} ms`))
}

function onChange(watcher: FSWatcher, redeploy: () => Promise<void>): void {
  let settling: NodeJS.Timeout | undefined
  watcher.on('all', () => {
    clearTimeout(settling)
    settling = setTimeout(() => void redeploy(), SETTLE_MS)
  })
}

/** One at a time; a call during a run makes it run once more afterwards. `work` must not reject. */
function serialized(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let again = false
  return () => {
    if (running !== undefined) {
      again = true
      return running
    }
    running = (async () => {
      do {
        again = false
        await work()
      } while (again)
      running = undefined
    })()
    return running
  }
}
