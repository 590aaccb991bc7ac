import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import {
  decodeInvokeMeta,
  encodeInvokeMeta,
  frame,
  FrameReader,
  HEADER_BYTES,
  readResultMeta,
  RESULT_META_BYTES,
  writeHeader,
  writeResultMeta,
} from '../../runtime/environments/frames.ts'

const framing = suite('framing')

framing('any frames cut anywhere come out as they went in', () => {
  const one = fc.record({
    type: fc.integer({ min: 1, max: 60 }),
    flags: fc.integer({ min: 0, max: 255 }),
    id: fc.nat(),
    body: fc.uint8Array({ maxLength: 300 }),
  })
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 30 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.map(({ type, body, id, flags }) => frame(type, Buffer.from(body), id, flags)),
        )
        const seen: typeof frames = []
        const reader = new FrameReader((type, flags, id, _extra, body) =>
          seen.push({ type, flags, id, body: Uint8Array.from(body) }),
        )

        for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1
          reader.push(bytes.subarray(offset, offset + length))
          offset += length
        }

        assert.equal(
          seen,
          frames.map((sent) => ({ ...sent, body: Uint8Array.from(sent.body) })),
        )
      },
    ),
  )
})

framing('an announced body past the limit is refused before it is collected', () => {
  const header = Buffer.alloc(HEADER_BYTES)
  writeHeader(header, 0, 1, 0, 0, 0x7fffffff, 0)

  assert.throws(() => new FrameReader(() => {}).push(header), /over the limit/)
})

framing('meta of invocations and results survives the wire', () => {
  const meta = {
    requestId: 'r',
    deadlineMs: 1,
    invokedArn: 'arn',
    traceId: 'Root=1',
    clientContext: 'e30=',
    tenantId: '',
  }
  const bytes = Buffer.alloc(RESULT_META_BYTES)
  const result = { durationMs: 12.5, logBytes: 2 ** 40, maxRssKb: 40_000 }

  writeResultMeta(bytes, 0, result)

  assert.equal(decodeInvokeMeta(encodeInvokeMeta(meta)), meta)
  assert.equal(readResultMeta(bytes), result)
})

framing.run()
