import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createFakeClock } from '../../support/clock.ts'
import { until, within } from '../../support/until.ts'
import { parseAnswer, readUntil } from '../raw-client.ts'
import { FrontServer } from './front-server.ts'

const post = (name: string, body = '{}', ...headers: string[]): string => {
  const lines = ['Host: localhost', `Content-Length: ${body.length}`, ...headers]
  return `POST /2015-03-31/functions/${name}/invocations HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}
/** A client that can end its side first, and ends it when the server has. */
const dial = (server: FrontServer): Socket => {
  const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  return socket.once('end', () => socket.end())
}
const answers = (text: string): string[] =>
  text.split(/(?=HTTP\/1\.1 \d{3} )/).filter((answer) => answer !== '')
const readAll = (socket: Socket): Promise<string> =>
  within(
    'the server to close',
    readUntil(socket, () => false),
  )
const readAnswers = (socket: Socket, count: number): Promise<string> =>
  within(
    `${count} answers`,
    readUntil(socket, (text) => {
      const all = answers(text)
      return all.length === count && (all.at(-1) ?? '').includes('"padding"')
    }),
  )
/** Resolves when `read` gives the same many times over. */
const settled = async (reason: string, read: () => number): Promise<number> => {
  let [last, times] = [read(), 0]
  await until(reason, () => {
    times = read() === last ? times + 1 : 0
    last = read()
    return times > 30
  })
  return last
}

/** A server with the front that is closed in the end; `clock` drives its limits. */
async function openFront(
  clock?: ReturnType<typeof createFakeClock>,
): Promise<{ server: FrontServer } & AsyncDisposable> {
  const server = await FrontServer.open({ front: true, ...(clock === undefined ? {} : { clock }) })
  return { server, [Symbol.asyncDispose]: () => server.listener.close(0) }
}

const answering = suite('the front answers')

answering('requests of one connection in order, and keeps it open', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server)

  socket.write(post('later') + post('now') + post('nobody') + post('now'))
  const all = answers(await readAnswers(socket, 4))

  assert.equal(
    all.map((text) => parseAnswer(text).status),
    [200, 200, 404, 200],
  )
  assert.is(opened.server.byFront, 4)
  assert.match(all[0] ?? '', 'Connection: keep-alive')
  socket.destroy()
})

answering('a client that has sent its last byte, then closes', async () => {
  await using opened = await openFront()
  for (const name of ['now', 'later', 'large']) {
    const socket = dial(opened.server)

    socket.end(post(name) + post(name))
    const all = answers(await readAll(socket))

    assert.equal(
      all.map((text) => parseAnswer(text).status),
      [200, 200],
      name,
    )
  }
  assert.is(opened.server.byFront, 6)
})

answering('a client that sends its last byte long before it is answered', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server)

  socket.end(post('held'))
  await until('it runs', () => opened.server.heldCount === 1)
  opened.server.release()
  const text = await readAll(socket)

  assert.is(parseAnswer(text).status, 200)
  assert.match(text, 'Connection: close')
})

answering('a client that reads only after it has sent its last byte', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server).pause()

  socket.end(post('large').repeat(200))
  await settled('the front answers no further', () => opened.server.seen.length)
  const all = answers(await readAll(socket.resume()))

  assert.is(all.length, 200)
  assert.ok(all.every((text) => text.length > 100_000))
})

answering('thousands of requests that are refused at once, one after the other', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server)

  socket.end(post('held') + post('nobody', '').repeat(5000))
  await until('the first runs', () => opened.server.heldCount === 1)
  const all = readAll(socket)
  opened.server.release()

  assert.is(answers(await all).length, 5001)
})

answering('a request that was sent ahead byte by byte', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server)
  const ahead = Buffer.from(post('now', `"${'a'.repeat(2000)}"`))

  socket.write(post('held'))
  await until('the first runs', () => opened.server.heldCount === 1)
  for (const byte of ahead) {
    socket.write(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  opened.server.release()
  const all = answers(await readAnswers(socket, 2))

  assert.is(all.length, 2)
  assert.is(opened.server.seen.length, 2)
  socket.destroy()
})

answering.run()

const bounds = suite('the front’s bounds')

bounds('a client that never reads is read no further, and loses nothing once it does', async () => {
  await using opened = await openFront()
  const { server } = opened
  const count = 400
  const socket = dial(server).pause()

  socket.end(post('large', 'x'.repeat(60_000)).repeat(count))
  const served = await settled('nothing moves any more', () => server.seen.length)
  assert.ok(served < count / 2, `${served} of ${count} answered to nobody`)
  assert.ok(socket.writableLength > 0, 'everything was read')
  const all = answers(await readAll(socket.resume()))

  assert.is(all.length, count)
  assert.ok(all.every((text) => text.length > 100_000))
})

bounds('a client that sends ahead without end is read no further while its request runs', async () => {
  await using opened = await openFront()
  const socket = dial(opened.server)

  socket.write(post('held') + post('now', 'x'.repeat(60_000)).repeat(400))
  await until('the first runs', () => opened.server.heldCount === 1)
  await settled('nothing moves any more', () => socket.writableLength)

  assert.ok(socket.writableLength > 1_000_000, `only ${socket.writableLength} bytes are left to send`)
  assert.is(opened.server.seen.length, 1)
  opened.server.release()
  assert.is(answers(await readAnswers(socket, 401)).length, 401)
  socket.destroy()
})

bounds('silence ends a connection after 10 s, idling after 60 s', async () => {
  const clock = createFakeClock()
  await using opened = await openFront(clock)
  const silent = dial(opened.server).resume()
  const idle = dial(opened.server)
  await Promise.all([once(silent, 'connect'), once(idle, 'connect')])
  idle.write(post('now'))
  await readAnswers(idle, 1)
  idle.resume()
  const closed = { silent: false, idle: false }
  silent.once('end', () => (closed.silent = true))
  idle.once('end', () => (closed.idle = true))

  await clock.advance(9000)
  assert.is(await opened.server.connections(), 2)
  await clock.advance(2000)
  await until('the silent one is closed', () => closed.silent)
  assert.is(closed.idle, false)
  await clock.advance(50_000)
  await until('the idle one is closed', () => closed.idle)

  await until('both are gone', async () => (await opened.server.connections()) === 0)
  silent.destroy()
  idle.destroy()
})

bounds('a body that takes its time is left to Node, whole', async () => {
  const clock = createFakeClock()
  await using opened = await openFront(clock)
  const socket = dial(opened.server)
  const text = post('now', '{"slow":true}')

  socket.write(text.slice(0, -5))
  await until('it is read', async () => (await opened.server.connections()) === 1)
  await settled('it waits', () => opened.server.seen.length)
  await clock.advance(2000)
  socket.write(text.slice(-5))
  const answer = parseAnswer(await readAnswers(socket, 1))

  assert.is(answer.status, 200)
  assert.is(opened.server.byFront, 0)
  socket.destroy()
})

bounds('a body in a thousand packets, and a head in two, are left to Node, whole', async () => {
  await using opened = await openFront()
  const text = post('now', 'b'.repeat(1000))
  for (const packets of [text.split(''), [text.slice(0, 30), text.slice(30)]]) {
    const socket = dial(opened.server)
    await once(socket, 'connect')
    for (const packet of packets) {
      socket.write(packet)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.is(parseAnswer(await readAnswers(socket, 1)).status, 200)
    socket.destroy()
  }
  assert.is(new Set(opened.server.seen).size, 1)
})

bounds('half a request and an end is refused, and leaves nothing', async () => {
  await using opened = await openFront()
  const text = post('now', '{"a":1}')
  for (const length of [1, 30, text.length - 7, text.length - 1]) {
    const socket = dial(opened.server)
    socket.end(text.slice(0, length))
    const answer = await readAll(socket)
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request/, `${length} bytes`)
  }
  assert.equal(opened.server.seen, [])
  await until('nothing is left', async () => (await opened.server.connections()) === 0)
})

bounds.run()

const ending = suite('the front ends')

ending('a client that leaves takes what it sent ahead with it; its running request goes on', async () => {
  await using opened = await openFront()
  const { server } = opened
  const sockets = Array.from({ length: 20 }, () => dial(server))

  for (const socket of sockets) socket.write(post('held') + post('now') + post('now'))
  await until('all run', () => server.heldCount === sockets.length)
  for (const [index, socket] of sockets.entries()) {
    if (index % 2 === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
  await until('half are gone', async () => (await server.connections()) <= sockets.length / 2)
  while (server.release());

  await until('nothing is left', async () => (await server.connections()) === 0)
  const ran = server.seen.filter((line) => line.includes('"held"')).length
  assert.is(ran, sockets.length)
})

ending('draining says so in the last answer, refuses what comes then, and cuts nobody short', async () => {
  const { server } = await openFront()
  const [busy, busyAhead, idle, silent] = [dial(server), dial(server), dial(server), dial(server).resume()]
  busy.write(post('held'))
  busyAhead.write(post('held') + post('now'))
  idle.write(post('now'))
  await readAnswers(idle, 1)
  idle.resume()
  await until('they run', () => server.heldCount === 2)

  server.listener.refuseNewWork()
  const closed = server.listener.close(20_000)
  const texts = Promise.all([readAll(busy), readAll(busyAhead)])
  while (server.release());

  const [last, ahead] = (await texts).map(answers)
  assert.match(last?.[0] ?? '', /^HTTP\/1\.1 200 OK[^]*Connection: close/)
  assert.equal(
    ahead?.map((text) => parseAnswer(text).status),
    [200, 503],
  )
  await within('the listener to close', closed, 5000)
  for (const socket of [busy, busyAhead, idle, silent]) socket.destroy()
})

ending('closing cuts idle connections at once', async () => {
  const { server } = await openFront(createFakeClock()) // its sweeps never come
  const sockets = Array.from({ length: 5 }, () => dial(server))
  for (const socket of sockets) {
    socket.write(post('now'))
    await readAnswers(socket, 1)
    socket.resume()
  }
  const ended = Promise.all(sockets.map((socket) => once(socket, 'end')))

  server.listener.refuseNewWork()

  await within('the idle connections to end', ended, 2000)
  await within('the listener to close', server.listener.close(60_000), 2000)
})

ending('what still runs when the grace is over is cut, and its late answer goes nowhere', async () => {
  const { server } = await openFront()
  const socket = dial(server).resume()
  socket.write(post('held') + post('now'))
  await until('it runs', () => server.heldCount === 1)

  await within('the listener to close', server.listener.close(50), 5000)
  server.release()

  assert.is(server.seen.length, 1)
  socket.destroy()
})

ending.run()
