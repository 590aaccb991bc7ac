import { crc32 } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readEventStream, type StreamMessage } from '../../deploy/event-stream.ts'
import { rejects } from '../support/assert.ts'

const decoder = suite('the event-stream decoder')

/** Encodes one message, straight from the format's description. */
function encode(headers: Record<string, string>, payload: Uint8Array): Buffer {
  const encoded = Object.entries(headers).map(([name, value]) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(value))
    return Buffer.concat([
      Buffer.from([name.length]),
      Buffer.from(name),
      Buffer.from([7]),
      length,
      Buffer.from(value),
    ])
  })
  const headerBytes = Buffer.concat(encoded)
  const message = Buffer.alloc(16 + headerBytes.length + payload.length)
  message.writeUInt32BE(message.length, 0)
  message.writeUInt32BE(headerBytes.length, 4)
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8)
  headerBytes.copy(message, 12)
  Buffer.from(payload).copy(message, 12 + headerBytes.length)
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4)
  return message
}

const CHUNK = encode({ ':message-type': 'event', ':event-type': 'PayloadChunk' }, Buffer.from('Grüße'))
const END = encode({ ':message-type': 'event', ':event-type': 'InvokeComplete' }, Buffer.from('{}'))

async function* slices(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(bytes: Buffer, size = bytes.length): Promise<StreamMessage[]> {
  const messages: StreamMessage[] = []
  for await (const message of readEventStream(slices(bytes, size))) messages.push(message)
  return messages
}

decoder('messages arrive whole, however the bytes are cut', async () => {
  for (const size of [1, 7, 64, 10_000]) {
    const [chunk, end, ...rest] = await collect(Buffer.concat([CHUNK, END]), size)

    assert.is(chunk?.headers.get(':event-type'), 'PayloadChunk')
    assert.is(chunk?.payload.toString('utf8'), 'Grüße')
    assert.is(end?.payload.toString('utf8'), '{}')
    assert.is(rest.length, 0)
  }
})

decoder('a message that was changed on its way is refused', async () => {
  const damaged = Buffer.from(CHUNK)
  damaged[damaged.length - 6] = 0

  assert.match((await rejects(collect(damaged))).message, 'was damaged on its way')
})

decoder('what is no event stream is refused', async () => {
  assert.match(
    (await rejects(collect(Buffer.from('<html>not a stream</html>')))).message,
    'not an event stream',
  )
})

decoder('an end inside a message is an error', async () => {
  assert.match((await rejects(collect(CHUNK.subarray(0, -1)))).message, 'ended inside a message')
})

decoder.run()
