import type { Context, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import { OBJECT_FLAG } from '../../runtime/objects/object-table.ts'
import { packValue } from '../../runtime/environments/call-payload.ts'
import { encode } from '../../runtime/sdk/codec/encode.ts'
import { storeBytes } from './large-values.ts'
import { checked, findObject, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { late, readWait, settles } from './ref-waits.ts'
import { describing } from './schemas.ts'
import { answerOutcome, packJson } from './values.ts'

const GetQuery = z.object({
  wait: z.string().optional().describe("How long to wait for the value: '30s', '500ms'"),
})

/** JSON and small bytes are held in memory while they are read. */
const MAX_JSON_BYTES = 64 * 1024 * 1024
/** More bytes than this lie in a segment. */
const MAX_SMALL_BYTES = 128 * 1024
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
/** Names of refs that processes make. */
const MADE_ID = /^o[0-9a-z]+-\d/

/** `PUT`, `GET` and `DELETE objects/{id}`: JSON, or octet-stream for bytes. */
export function addObjects(app: Hono, { engine }: LambentApiParts): void {
  const { objects, outsideRefs, segments, clock } = engine
  app.put(
    '/objects/:id',
    describeRoute(describing('Stores a value: JSON, or bytes as application/octet-stream', 'newObject')),
    async (context) => {
      const id = context.req.param('id')
      if (!ID.test(id) || MADE_ID.test(id))
        throw new EngineError('invalid', `"${id.slice(0, 100)}" is no name for an object.`, {
          hint: 'Up to 100 letters, digits, ".", "_" and "-"; those like o1-2 are given by Lambent.',
        })
      if (objects.find(id) !== undefined)
        throw new EngineError('already-exists', `There is an object "${id}", and objects do not change.`, {
          hint: 'Choose another name, or delete it first.',
        })
      const entry = objects.create(id, outsideRefs.holder, scopeOfRequest(context, {}).account)
      try {
        const { flags, body } = await readValue(context)
        objects.resolve(entry, flags, body)
      } catch (error) {
        objects.reject(entry, NOTHING)
        outsideRefs.release(entry)
        throw error
      }
      outsideRefs.keep(entry)
      if (entry.flags !== 0 && entry.flags !== OBJECT_FLAG) return answerOutcome(context, entry, segments)
      return context.json({ objectId: id, sizeBytes: objects.whereIs(entry).sizeBytes }, 201)
    },
  )
  app.get(
    '/objects/:id',
    describeRoute(describing('A value: JSON, or octet-stream for bytes; 202 while it is pending', 'result')),
    checked('query', GetQuery),
    async (context) => {
      const { wait } = context.req.valid('query')
      const entry = findObject(context, objects, context.req.param('id'))
      if (!entry.isSettled && wait === undefined)
        return context.json({ objectId: entry.id, state: 'pending' }, 202)
      const waitMs = wait === undefined ? 0 : readWait(wait)
      if (await settles(clock, entry, waitMs, context.req.raw.signal))
        return answerOutcome(context, entry, segments)
      return late(context, entry.id, waitMs)
    },
  )
  app.delete(
    '/objects/:id',
    describeRoute(
      describing('Lets go of a value; it lives on as long as anything else refers to it', 'nothing'),
    ),
    (context) => {
      outsideRefs.release(findObject(context, objects, context.req.param('id')))
      return context.json({})
    },
  )

  /** The value in the body of a request. Throws EngineError 'not-json', 'too-large' and 'throttled'. */
  async function readValue(context: Context): Promise<{ flags: number; body: Buffer }> {
    const declared = Number(context.req.header('content-length') ?? Number.NaN)
    const type = context.req.header('content-type') ?? ''
    const source = bytesOf(context)
    if (!/^application\/octet-stream\b/i.test(type)) return { flags: 0, body: await readJson(source) }
    if (declared <= MAX_SMALL_BYTES) {
      const bytes = await readAll(source, MAX_SMALL_BYTES)
      return { flags: 0, body: packValue([], encode(new Uint8Array(bytes)).head) }
    }
    return { flags: OBJECT_FLAG, body: await storeBytes(segments, source, declared || 0) }
  }
}

const NOTHING = packValue([], encode(undefined).head)

async function readJson(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const text = (await readAll(source, MAX_JSON_BYTES)).toString('utf8')
  try {
    return packJson(JSON.parse(text))
  } catch (cause) {
    throw new EngineError('not-json', 'The body is not JSON.', {
      cause,
      hint: 'Send bytes with content-type: application/octet-stream.',
    })
  }
}

async function readAll(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > maxBytes)
      throw new EngineError('too-large', `The body is larger than ${maxBytes} bytes.`, {
        hint: 'Send bytes with content-type: application/octet-stream: they are stored as they come.',
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}

async function* bytesOf(context: Context): AsyncIterable<Uint8Array> {
  const { body } = context.req.raw
  if (body === null) return
  // The cast: what Node's fetch calls a stream is iterable, whatever the DOM's types say.
  yield* body as unknown as AsyncIterable<Uint8Array>
}
