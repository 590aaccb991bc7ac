import { crc32, deflateRawSync } from 'node:zlib'

/** One entry of a zip made by hand; whatever is given wrong stays wrong. */
export interface ZipEntry {
  readonly name: string | Buffer
  readonly content?: string | Buffer
  /** Unix mode with its file type; a plain file by default. */
  readonly mode?: number
  readonly deflate?: boolean
  /** Name in the entry's own header, when it is to differ. */
  readonly localName?: string
  /** Size in both headers, when it is to lie. */
  readonly declaredBytes?: number
  readonly crc32?: number
  readonly flags?: number
  readonly method?: number
}

/** A zip with exactly these entries, nothing checked and nothing repaired. */
export function zipOf(entries: readonly ZipEntry[], comment = ''): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '')
    const packed = entry.deflate === true ? deflateRawSync(content) : content
    const fields = {
      flags: entry.flags ?? 0x0800,
      method: entry.method ?? (entry.deflate === true ? 8 : 0),
      crc32: entry.crc32 ?? crc32(content),
      packedBytes: packed.length,
      bytes: entry.declaredBytes ?? content.length,
    }
    const name = Buffer.from(entry.name)
    const local = Buffer.concat([localHeader(fields, Buffer.from(entry.localName ?? name)), packed])
    parts.push(local)
    directory.push(centralHeader(fields, name, entry.mode ?? 0o100644, offset))
    offset += local.length
  }
  const central = Buffer.concat(directory)
  return Buffer.concat([...parts, central, endRecord(entries.length, central.length, offset, comment)])
}

interface Fields {
  flags: number
  method: number
  crc32: number
  packedBytes: number
  bytes: number
}

function common(fields: Fields): Buffer {
  const out = Buffer.alloc(22)
  out.writeUInt16LE(20, 0)
  out.writeUInt16LE(fields.flags, 2)
  out.writeUInt16LE(fields.method, 4)
  out.writeUInt16LE(0x21, 8) // 1980-01-01
  out.writeUInt32LE(fields.crc32, 10)
  out.writeUInt32LE(fields.packedBytes, 14)
  out.writeUInt32LE(fields.bytes, 18)
  return out
}

function localHeader(fields: Fields, name: Buffer): Buffer {
  const lengths = Buffer.alloc(4)
  lengths.writeUInt16LE(name.length, 0)
  return Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common(fields), lengths, name])
}

function centralHeader(fields: Fields, name: Buffer, mode: number, offset: number): Buffer {
  const rest = Buffer.alloc(18)
  rest.writeUInt16LE(name.length, 0)
  rest.writeUInt32LE((mode << 16) >>> 0, 10)
  rest.writeUInt32LE(offset, 14)
  return Buffer.concat([Buffer.from('PK\x01\x02\x3f\x03', 'latin1'), common(fields), rest, name])
}

function endRecord(count: number, bytes: number, offset: number, comment: string): Buffer {
  const out = Buffer.alloc(22)
  out.write('PK\x05\x06', 'latin1')
  out.writeUInt16LE(count, 8)
  out.writeUInt16LE(count, 10)
  out.writeUInt32LE(bytes, 12)
  out.writeUInt32LE(offset, 16)
  out.writeUInt16LE(comment.length, 20)
  return Buffer.concat([out, Buffer.from(comment)])
}
