// time limit: 600 s
import { connect } from 'node:net'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until, within } from '../../support/until.ts'
import { FrontServer } from './front-server.ts'
import { craftedExchanges, exchanges, wholeAndByByte, type Exchange } from './request-bytes.ts'

/**
 * The front against Node's own parser: two listeners that differ in nothing but the front are sent the same
 * bytes and must see the same requests and give the same answers. FRONT_FUZZ_REQUESTS: how many (20000).
 * FRONT_FUZZ_SEED: repeats a run.
 */
const REQUESTS = Number(process.env.FRONT_FUZZ_REQUESTS ?? 20_000)
const SEED = Number(process.env.FRONT_FUZZ_SEED ?? Date.now() % 1_000_000_000)
const LANES = 16
const HANG_MS = 5000
const TRIES = 3
const INVITATION = 'HTTP/1.1 100 Continue\r\n\r\n'

const fuzz = suite('the front against Node’s parser')

/** What one connection gave: answers that can be compared, invitations to go on, and whether it was reset. */
interface Heard {
  readonly answers: readonly string[]
  readonly invitations: number
  readonly wasReset: boolean
}

/** Two servers, one with the front; one exchange at a time, so that what they see belongs to it. */
class Lane implements AsyncDisposable {
  readonly front: FrontServer
  readonly node: FrontServer

  private constructor(front: FrontServer, node: FrontServer) {
    this.front = front
    this.node = node
  }

  static async open(): Promise<Lane> {
    const halfOpen = true
    return new Lane(
      await FrontServer.open({ front: true, halfOpen }),
      await FrontServer.open({ front: false, halfOpen }),
    )
  }

  /**
   * Fails when the two differ every time. Once is not enough: a server that closes while a client still sends
   * resets the connection, which may take answers along that were on their way.
   */
  async compare(exchange: Exchange): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#compareOnce(exchange)
      } catch (error) {
        if (tries === TRIES) throw error
      }
    }
  }

  async #compareOnce(exchange: Exchange): Promise<void> {
    const heard = await Promise.all([send(this.front.port, exchange), send(this.node.port, exchange)])
    const seen = [this.front, this.node].map(({ seen: lines }) => lines.splice(0).toSorted())
    const text = JSON.stringify(exchange.bytes.toString('latin1').slice(0, 3000))
    assertSameAnswers(heard[0], heard[1], text, exchange.requests)
    const [bySmaller = [], byLarger = []] = seen.toSorted((a, b) => a.length - b.length)
    // What comes behind a refusal that closes may have been read before the close, or not.
    const mayBeCut = heard.some((one) => one.answers.length < exchange.requests)
    const expected = mayBeCut ? byLarger.filter((line) => bySmaller.includes(line)) : byLarger
    assert.equal(bySmaller, expected, `seen differently: ${text}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.front.listener.close(0), this.node.listener.close(0)])
  }
}

/** Sends the packets, each in its own turn, then the end; resolves when the server has closed as well. */
async function send(port: number, { packets }: Exchange): Promise<Heard> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  let text = ''
  let wasReset = false
  const closed = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => (wasReset = true))
    socket.on('close', () => resolve())
  })
  for (const packet of packets) {
    if (!socket.destroyed) socket.write(packet)
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!socket.destroyed) socket.end()
  await within('an exchange to end', closed, HANG_MS)
  // Node invites at once, even in the middle of an earlier answer: only how often can be compared.
  const pieces = text.split(INVITATION)
  const answers = pieces
    .join('')
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter((answer) => answer !== '')
  return { answers: answers.map(comparable), invitations: pieces.length - 1, wasReset }
}

/** Without what may differ: the order of headers, the date, and how long a connection is kept. */
function comparable(answer: string): string {
  const end = answer.indexOf('\r\n\r\n')
  const [status = '', ...headers] = answer.slice(0, end).split('\r\n')
  const kept = headers
    .map((line) => line.toLowerCase())
    .filter((line) => !/^(date|connection|keep-alive):/.test(line))
    .toSorted()
  return [status, ...kept, answer.slice(end + 4)].join('\n')
}

/**
 * Node parses ahead: when it meets what it cannot read, a CONNECT or an end within a request, it cuts off as
 * many of the answers to what came before as were not ready, and a refusal that came first may have closed
 * the connection before it meets that. How many depends on timing. A reset may cost the last answers on
 * either side. Beyond that they are the same; and where Node answers everything, so does the front.
 */
function assertSameAnswers(front: Heard, node: Heard, text: string, requests: number): void {
  if (front.wasReset || node.wasReset) return
  const both = JSON.stringify({ front: brief(front), node: brief(node) })
  const complete = [front, node].map(({ answers }) => answers.filter((answer) => !isBroken(answer)))
  const broken = [front, node].map(({ answers }) => answers.find(isBroken))
  const [frontAnswers = [], nodeAnswers = []] = complete
  if (broken[0] !== undefined && broken[1] !== undefined) {
    assert.is(broken[0], broken[1], `refused differently: ${both} ${text}`)
  } else if (broken[0] !== broken[1]) {
    const other = (broken[0] === undefined ? frontAnswers : nodeAnswers).at(-1) ?? ''
    assert.match(other, /^HTTP\/1\.1 4/, `refused by one: ${both} ${text}`)
  }
  const isBrokenOff = broken.some((answer) => answer !== undefined) || nodeAnswers.length < requests
  const isCut = isBrokenOff || text.includes('CONNECT ')
  const common = isCut ? Math.min(frontAnswers.length, nodeAnswers.length) : undefined
  assert.equal(
    frontAnswers.slice(0, common),
    nodeAnswers.slice(0, common),
    `answered differently: ${both} ${text}`,
  )
  if (!isCut) assert.is(front.invitations, node.invitations, `invited differently: ${both} ${text}`)
}

/** What the listener says on a bare socket of bytes that are no request. */
const isBroken = (answer: string): boolean =>
  answer.includes('"Type":"User","message"') && !answer.includes('x-amzn-requestid')

const brief = ({ answers }: Heard): string[] => answers.map((answer) => answer.slice(0, 600))

async function openLanes(): Promise<{ lanes: Lane[] } & AsyncDisposable> {
  const lanes = await Promise.all(Array.from({ length: LANES }, () => Lane.open()))
  return {
    lanes,
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()))),
  }
}

const compareAll = async (lanes: readonly Lane[], all: readonly Exchange[]): Promise<void> => {
  const queue = [...all]
  await Promise.all(
    lanes.map(async (lane) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await lane.compare(next)
    }),
  )
}

const assertNothingLeft = async (lanes: readonly Lane[]): Promise<void> => {
  const servers = lanes.flatMap(({ front, node }) => [front, node])
  await until('no connection is left', async () => {
    const counts = await Promise.all(servers.map((server) => server.connections()))
    return counts.every((count) => count === 0)
  })
}

fuzz('each crafted oddity is read alike, between strict requests', async () => {
  await using opened = await openLanes()

  await compareAll(opened.lanes, craftedExchanges())

  await assertNothingLeft(opened.lanes)
})

fuzz('a request in one packet and one in single bytes are read alike', async () => {
  await using opened = await openLanes()
  const text =
    'POST /2015-03-31/functions/now/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{"a":1}'

  await compareAll(opened.lanes, [...wholeAndByByte(text), ...wholeAndByByte(text.repeat(3))])

  assert.ok(opened.lanes.reduce((sum, { front }) => sum + front.byFront, 0) >= 4)
  await assertNothingLeft(opened.lanes)
})

fuzz(`${REQUESTS} random requests are read alike (FRONT_FUZZ_SEED=${SEED})`, async () => {
  await using opened = await openLanes()
  const { lanes } = opened
  let sent = 0
  const perRun = fc.array(exchanges, { minLength: LANES, maxLength: LANES })
  const runs = Math.ceil(REQUESTS / LANES / 3)

  const property = fc.asyncProperty(perRun, async (all) => {
    await compareAll(lanes, all)
    sent += all.reduce((sum, { requests }) => sum + requests, 0)
  })
  const outcome = await fc.check(property, { seed: SEED, numRuns: runs, endOnFailure: true })

  if (outcome.failed) throw new Error(`seed ${SEED}: ${String(outcome.errorInstance)}`)
  const byFront = lanes.reduce((sum, { front }) => sum + front.byFront, 0)
  assert.ok(sent >= REQUESTS, `only ${sent} requests were sent`)
  assert.ok(byFront > sent / 4, `the front took only ${byFront} of ${sent}`)
  await assertNothingLeft(lanes)
})

fuzz.run()
