import type { InvokeHead, InvokeReply } from './invocations.ts'

const OPERATION = /(?:^|\/)2014-11-13\/functions\/([^/?]+)\/invoke-async\/?(?:\?(.*))?$/
const ACCEPTED = Buffer.from('{"Status":202}')

/** The older name of an asynchronous invocation: what its target means; undefined for every other path. */
export function invokeAsyncTarget(
  url: string,
): Pick<InvokeHead, 'streaming' | 'label' | 'query'> | undefined {
  if (!url.includes('/invoke-async')) return undefined
  const match = OPERATION.exec(url)
  return match === null ? undefined : { streaming: false, label: match[1] ?? '', query: match[2] ?? '' }
}

/** Says in the body, too, that an event was accepted; everything else leaves as it is. */
export const invokeAsyncReply = (reply: InvokeReply): InvokeReply => ({
  answer: (status, headers, body) =>
    status === 202
      ? reply.answer(status, ['Content-Type', 'application/json', ...headers], ACCEPTED)
      : reply.answer(status, headers, body),
  startStream: (status, headers) => reply.startStream(status, headers),
  write: (chunk, taken) => reply.write(chunk, taken),
  end: () => reply.end(),
})
