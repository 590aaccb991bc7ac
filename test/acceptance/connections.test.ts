import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { until } from '../support/until.ts'

/**
 * Clients that are slow, silent or leave, against the built program. CONNECTIONS: how many slow ones (2000).
 * DISCONNECTS: how many that leave (500). DISCONNECT_SEED: repeats where they leave.
 */
const SLOW = Number(process.env.CONNECTIONS ?? 2000)
const LEAVING = Number(process.env.DISCONNECTS ?? 500)
const SEED = Number(process.env.DISCONNECT_SEED ?? Date.now() % 1_000_000)
/**
 * Headers must come within 10 s, looked at every second; one that the kernel had no place for at first is
 * connected up to 7 s later.
 */
const GONE_WITHIN_MS = 30_000
const SLOWEST_HEALTHY_MS = 1500
/** Sockets that the test's own client keeps open. */
const SPARE_FILES = 12

const PATH = '/2015-03-31/functions/echo/invocations'
const HEAD = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\nContent-Length: 2000\r\n\r\n`
const REQUEST = `${HEAD}"${'a'.repeat(1998)}"`

const connections = suite('clients that are slow or leave')

async function startEcho(): Promise<RunningLambent> {
  const lambent = await startLambent()
  const zip = await zipOf({
    'index.js':
      'exports.handler = async (event) => { if (event.waitMs) await new Promise((resolve) => setTimeout(resolve, event.waitMs)); return event }',
  })
  await deploy(lambent.url, 'echo', zip, { tags: { 'lambent:concurrency': '20' } })
  await invoke(lambent.url, 'echo', 1)
  return lambent
}

const openFiles = ({ pid }: RunningLambent): number => readdirSync(`/proc/${pid}/fd`).length
const hasOpenFiles = process.platform === 'linux'

/** Bytes of memory that `pid` has in use. */
const residentBytes = ({ pid }: RunningLambent): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

async function inFlight(lambent: RunningLambent): Promise<number> {
  const text = await (await fetch(`${lambent.url}/metrics`)).text()
  return Number(/^lambent_in_flight (\d+)/m.exec(text)?.[1])
}

const portOf = (url: string): number => Number(new URL(url).port)

/** A socket whose end, however it comes, is counted. */
function dial(port: number, onClosed: () => void): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {}) // being cut off is what is awaited
  return socket.once('close', onClosed).resume()
}

connections(`${SLOW} slow ones are cut off, and nobody else notices`, async () => {
  await using lambent = await startEcho()
  const files = hasOpenFiles ? openFiles(lambent) : 0
  const memory = hasOpenFiles ? residentBytes(lambent) : 0
  let closed = 0
  const sockets = Array.from({ length: SLOW }, (_, index) => {
    // Every fourth goes to the public port.
    const socket = dial(portOf(index % 4 === 0 ? lambent.httpUrl : lambent.url), () => (closed += 1))
    // A third say nothing; a third stop in their headers; a third send one byte after the other.
    if (index % 3 > 0) socket.write(REQUEST.slice(0, 1 + (index % (HEAD.length - 3))))
    return socket
  })
  const dripping = setInterval(() => {
    for (const [index, socket] of sockets.entries()) if (index % 3 === 2) socket.write('x')
  }, 500)

  const latencies: number[] = []
  try {
    await until(
      'all slow connections are cut',
      async () => {
        const startMs = performance.now()
        const { status, body } = await invoke(lambent.url, 'echo', latencies.length)
        assert.equal([status, body], [200, latencies.length])
        latencies.push(performance.now() - startMs)
        return closed === SLOW
      },
      GONE_WITHIN_MS,
    )
  } finally {
    clearInterval(dripping)
    for (const socket of sockets) socket.destroy()
  }

  const sorted = latencies.toSorted((a, b) => a - b)
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? 0
  assert.ok(p99 < SLOWEST_HEALTHY_MS, `99 in 100 of ${sorted.length} took up to ${p99} ms`)
  if (!hasOpenFiles) return
  await until('their files are closed', () => openFiles(lambent) <= files + SPARE_FILES)
  assert.ok(residentBytes(lambent) - memory < 150 * 1024 * 1024, 'memory grew by more than 150 MB')
})

connections(`${LEAVING} that leave anywhere leave nothing (DISCONNECT_SEED=${SEED})`, async () => {
  await using lambent = await startEcho()
  const files = hasOpenFiles ? openFiles(lambent) : 0
  const slow = '{"waitMs":50}'
  const slowRequest = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${slow.length}\r\n\r\n${slow}`
  const chunked = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"aa"\r\n0\r\n\r\n`
  const requests = [REQUEST, slowRequest + slowRequest, chunked, REQUEST.repeat(20)]
  let state = SEED
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }

  const leave = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const text = requests[index % requests.length] ?? ''
      const bytes = next(2) === 0 ? text.length : next(text.length + 1)
      const socket = dial(portOf(lambent.url), resolve)
      const away = next(3)
      socket.write(text.slice(0, bytes), () => {
        if (away === 0) socket.resetAndDestroy()
        else if (away === 1) socket.destroy()
        // The first byte of an answer, or the refusal of half a request, and off.
        else socket.end().once('data', () => socket.resetAndDestroy())
      })
    })
  for (let index = 0; index < LEAVING; index += 25) {
    await Promise.all(Array.from({ length: Math.min(25, LEAVING - index) }, (_, at) => leave(index + at)))
    assert.equal((await invoke(lambent.url, 'echo', { index })).body, { index })
  }

  await until('nothing runs any more', async () => (await inFlight(lambent)) === 0)
  if (hasOpenFiles) {
    await until('their files are closed', () => openFiles(lambent) <= files + SPARE_FILES)
  }
  assert.not.match(lambent.stderr(), /"level":"?(error|50)/)
})

connections.run()
