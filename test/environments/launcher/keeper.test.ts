import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entryPath } from '../../../runtime/entries.ts'
import { FRAME, frame, FrameReader, type Hello } from '../../../runtime/environments/frames.ts'
import {
  keeperFiles,
  readKeeperExit,
  type KeeperState,
} from '../../../runtime/environments/keeper/keeper-files.ts'
import { isAlive } from '../../../runtime/environments/spawner/proc.ts'
import { ofDataDirectory, sweep } from '../../../runtime/environments/spawner/sweep.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'

const keeping = suite('keepers of long work')

keeping('output and exit status are on disk when the program has ended', async () => {
  using folder = temporaryDirectory()

  const keeper = startKeeper(folder, 'echo to stdout; echo to stderr >&2; exit 3')
  await ended(keeper)

  const files = keeperFiles(folder.path)
  const exit = readKeeperExit(folder.path)
  assert.equal([exit?.code, exit?.signal, exit?.reason], [3, null, 'ended'])
  assert.is(readFileSync(files.stdout, 'utf8'), 'to stdout\n')
  assert.is(readFileSync(files.stderr, 'utf8'), 'to stderr\n')
})

keeping('a keeper that is started again for work that has ended runs nothing', async () => {
  using folder = temporaryDirectory()
  await ended(startKeeper(folder, 'exit 0'))

  await ended(startKeeper(folder, 'echo again'))

  assert.is(readFileSync(keeperFiles(folder.path).stdout, 'utf8'), '')
})

keeping('a program that cannot be started is told on disk', async () => {
  using folder = temporaryDirectory()

  await ended(startKeeper(folder, undefined))

  const exit = readKeeperExit(folder.path)
  assert.is(exit?.reason, 'not-started')
  assert.match(exit?.message ?? '', 'ENOENT')
})

keeping('it proves itself to an engine, and to the next one after that is gone', async () => {
  using folder = temporaryDirectory()
  const first = await listen(folder)
  const keeper = startKeeper(folder, 'sleep 600')
  await until('the first engine is dialled', () => first.hellos.length > 0)

  first.close()
  const second = await listen(folder)
  await until('the second engine is dialled', () => second.hellos.length > 0)
  const runs = programRuns(folder)
  second.shutdown()
  await ended(keeper)
  second.close()

  assert.equal([second.hellos[0]?.environmentId, second.hellos[0]?.token], ['a-job', 'a-token'])
  assert.ok(runs)
  assert.is(readKeeperExit(folder.path)?.reason, 'asked')
})

keeping('without an engine the program is stopped at its limit', async () => {
  using folder = temporaryDirectory()

  const keeper = startKeeper(folder, 'sleep 600', { limitMs: 300 })
  await ended(keeper)

  const exit = readKeeperExit(folder.path)
  assert.equal([exit?.signal, exit?.reason], ['SIGTERM', 'no-engine'])
})

keeping('it and its program outlive whoever started them, and no sweep ends them', async () => {
  using folder = temporaryDirectory()
  const cookie = `keeper-test-${process.pid}.boot`
  const environment = JSON.stringify({ ...keeperVariables(folder, 60_000), LAMBENT_ENGINE: cookie })
  const code = `require('child_process').spawn(process.execPath, [${JSON.stringify(entryPath('keeper.js'))}, 'sleep', '600'],
    { detached: true, stdio: 'ignore', env: ${environment} }).once('spawn', () => setInterval(() => {}, 1000))`
  const starter = spawn(process.execPath, ['-e', code], { stdio: 'ignore', detached: true })
  await until('the program runs', () => programRuns(folder))

  process.kill(-(starter.pid ?? 0), 'SIGKILL')
  await ended(starter)
  const { killed } = sweep(ofDataDirectory(cookie))
  const runs = programRuns(folder)
  const { keeper } = readState(folder)
  process.kill(keeper.pid, 'SIGTERM')
  await until('the keeper has ended', () => !isAlive(keeper.pid, keeper.startTicks))

  assert.is(killed, 0)
  assert.ok(runs)
  assert.is(readKeeperExit(folder.path)?.reason, 'asked')
})

function keeperVariables(folder: TemporaryDirectory, limitMs: number): Record<string, string> {
  return {
    PATH: '/usr/bin:/bin',
    LAMBENT_KEEPER: '1',
    LAMBENT_KEEPER_DIRECTORY: folder.path,
    LAMBENT_KEEPER_LIMIT_MS: String(limitMs),
    LAMBENT_SOCKET: folder.join('engine.sock'),
    LAMBENT_ENVIRONMENT_ID: 'a-job',
    LAMBENT_TOKEN: 'a-token',
  }
}

/** A keeper of a shell command; undefined stands for a program that is not there. */
function startKeeper(
  folder: TemporaryDirectory,
  command: string | undefined,
  { limitMs = 60_000 }: { limitMs?: number } = {},
): ChildProcess {
  mkdirSync(folder.path, { recursive: true })
  const program = command === undefined ? ['/not/there'] : ['sh', '-c', command]
  return spawn(process.execPath, [entryPath('keeper.js'), ...program], {
    detached: true,
    stdio: 'ignore',
    env: keeperVariables(folder, limitMs),
  })
}

const ended = (child: ChildProcess): Promise<unknown> =>
  until('the process has ended', () => child.exitCode !== null || child.signalCode !== null)

const readState = (folder: TemporaryDirectory): KeeperState =>
  JSON.parse(readFileSync(keeperFiles(folder.path).state, 'utf8')) as KeeperState // the keeper wrote it

function programRuns(folder: TemporaryDirectory): boolean {
  if (!existsSync(keeperFiles(folder.path).state)) return false
  const { program } = readState(folder)
  return isAlive(program.pid, program.startTicks)
}

/** An engine's socket as far as a keeper sees it. */
async function listen(folder: TemporaryDirectory) {
  const hellos: Hello[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    const reader = new FrameReader((type, _flags, _id, _extra, body) => {
      if (type === FRAME.hello) hellos.push(JSON.parse(body.toString()) as Hello) // the keeper's first frame
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
  })
  rmSync(folder.join('engine.sock'), { force: true })
  await new Promise<void>((resolve) => server.listen(folder.join('engine.sock'), resolve))
  return {
    hellos,
    shutdown: () => sockets.forEach((socket) => socket.write(frame(FRAME.shutdown))),
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

keeping.run()
