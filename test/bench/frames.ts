import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entryPath } from '../../runtime/entries.ts'
import { Connection } from '../../runtime/environments/connection.ts'
import { FRAME, frame, FrameReader } from '../../runtime/environments/frames.ts'
import { median, type Figure } from './report.ts'

const SECONDS = 1.5
const ROUNDS = 5

/** Round trips between the engine's side of a socket and a real environment that runs an echo handler. */
export async function measureFrames(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lambent-frames-'))
  await writeFile(join(folder, 'index.js'), 'exports.handler = async (event) => event')
  const peer = await connect(folder)
  const payload = Buffer.from(JSON.stringify({ text: 'x'.repeat(850) }))
  const blocking: number[] = []
  const pipelined: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    blocking.push(1e6 / (await peer.rate(1, payload)))
    pipelined.push(await peer.rate(64, payload))
  }
  peer.close()
  await rm(folder, { recursive: true, force: true })
  return [
    { name: 'frames engine to environment and back, one in flight', value: median(blocking), unit: 'us' },
    { name: 'frames engine to environment and back, 64 in flight', value: median(pipelined), unit: 'msg/s' },
  ]
}

interface Peer {
  rate(inFlight: number, payload: Buffer): Promise<number>
  close(): void
}

async function connect(taskRoot: string): Promise<Peer> {
  const path = join(taskRoot, 'engine.sock')
  let onAnswer: () => void = () => {}
  let initialized: () => void = () => {}
  const loaded = new Promise<void>((resolve) => (initialized = resolve))
  const server = createServer()
  const socket = await new Promise<{ raw: Socket; child: ReturnType<typeof spawn> }>((resolve) => {
    server.once('connection', (raw) => resolve({ raw, child }))
    server.listen(path)
    const child = spawn(process.execPath, [entryPath('environment.cjs')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: '/usr/bin:/bin',
        LAMBENT_SOCKET: path,
        LAMBENT_ENVIRONMENT_ID: 'bench',
        LAMBENT_TOKEN: 'bench',
      },
    })
  })
  const connection = new Connection(socket.raw)
  const reader = new FrameReader((type) => {
    if (type === FRAME.result) onAnswer()
    else if (type === FRAME.initialized) initialized()
    else if (type === FRAME.ready) connection.send(frame(FRAME.specialize, specialization(taskRoot)))
  })
  socket.raw.on('data', (chunk: Buffer) => reader.push(chunk))
  await loaded
  let id = 1
  const meta = {
    requestId: 'r',
    deadlineMs: 0,
    invokedArn: 'a',
    traceId: 't',
    clientContext: '',
    tenantId: '',
  }
  const send = (payload: Buffer): void => connection.invoke(id++, 0, meta, payload, false)
  return {
    rate: (inFlight, payload) =>
      new Promise((resolve) => {
        const start = performance.now()
        let answered = 0
        let open = inFlight
        onAnswer = () => {
          answered += 1
          const elapsed = performance.now() - start
          if (elapsed < SECONDS * 1000) send(payload)
          else if ((open -= 1) === 0) resolve(answered / (elapsed / 1000))
        }
        for (let index = 0; index < inFlight; index++) send(payload)
      }),
    close() {
      socket.raw.destroy()
      server.close()
      socket.child.kill('SIGKILL')
    },
  }
}

const specialization = (taskRoot: string): object => ({
  functionName: 'bench',
  functionVersion: '$LATEST',
  memoryMb: 128,
  handler: 'index.handler',
  runtime: 'nodejs20.x',
  taskRoot,
  environment: {},
  logFormat: 'Text',
  logLevel: 'INFO',
  logGroup: '/aws/lambda/bench',
  logStream: 'bench',
  concurrency: 64,
})
