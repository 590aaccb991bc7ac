import { readFileSync } from 'node:fs'
import { CommandError, EXIT } from './exit-codes.ts'

/** What `--payload JSON|@FILE|-` gives: the text itself, a file, stdin; nothing when it is not given. */
export async function readPayload(payload: unknown): Promise<Uint8Array> {
  if (typeof payload !== 'string') return Buffer.alloc(0)
  if (payload === '-') {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }
  if (!payload.startsWith('@')) return Buffer.from(payload)
  try {
    return readFileSync(payload.slice(1))
  } catch (cause) {
    throw new CommandError(EXIT.usage, `The payload file "${payload.slice(1)}" cannot be read.`, { cause })
  }
}
