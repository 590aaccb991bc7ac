/** One server-sent event. */
export interface ServerSentEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024

/** Reads server-sent events as they arrive; comments and fields that nobody uses here are left out. */
export async function* readServerSentEvents(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of bytes) {
    held += decoder.decode(chunk, { stream: true })
    const blocks = held.split(/\r?\n\r?\n/)
    held = blocks.pop() ?? ''
    if (held.length > MAX_EVENT_CHARACTERS) throw new Error('A server-sent event is larger than 16 MB.')
    for (const block of blocks) {
      const event = parseBlock(block)
      if (event !== undefined) yield event
    }
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  const fields = block
    .split(/\r?\n/)
    .map((line) => /^(\w+):? ?(.*)$/.exec(line))
    .filter((match) => match !== null)
  const values = (name: string): string[] =>
    fields.filter((match) => match[1] === name).map((match) => match[2] ?? '')
  const data = values('data')
  if (data.length === 0) return undefined
  return { id: values('id').at(-1), event: values('event').at(-1) ?? 'message', data: data.join('\n') }
}
