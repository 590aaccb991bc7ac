/**
 * How the items of a task that streams (an async generator) travel, one at a time, and how far the producer
 * may run ahead of whoever takes them. Both sides and the engine in between use this file.
 *
 *     producer -> engine      `said` of its invocation: meta `item\n<index>`, payload its value; FLAG.object
 *     engine -> submitter     `answer` of the task's request with FLAG.streaming: an item, in order. The
 *                             answer without it is the end: an empty value, or the error that ended it
 *     submitter -> engine     request `taken`, fields: request number, count; more items were taken
 *     submitter -> engine     request `stop`, field: request number; nobody takes any more
 *     engine -> producer      `message` to its invocation: meta `taken\n<count>` or `stop`
 *
 * An item's ref is the task's ref, a dot, and the item's index: a retried task makes the same ones again.
 */
export const STREAM_ITEM = 'item'
/** Name of the request and of the message that let a producer go on. */
export const STREAM_TAKEN = 'taken'
/** Name of the request and of the message that end a producer. */
export const STREAM_STOP = 'stop'

/** Items that may be on their way or lie at the submitter without having been taken. */
export const STREAM_WINDOW = 16

/** Meta of the item with this index, from 0 on. */
export const itemMeta = (index: number): string => `${STREAM_ITEM}\n${index}`

/** Index of the item that a meta leads; undefined for what leads no item. */
export function readItemMeta(meta: string): number | undefined {
  const match = /^item\n(\d{1,10})$/.exec(meta)
  return match === null ? undefined : Number(match[1])
}

/** Id of the ref of an item. */
export const itemRefId = (taskRefId: string, index: number): string => `${taskRefId}.${index}`

/** Meta of a message to a producer: this many more were taken. */
export const takenMeta = (count: number): string => `${STREAM_TAKEN}\n${count}`

/** What a message tells a producer; undefined for one about something else. */
export function readProducerMessage(meta: string): { taken: number } | 'stop' | undefined {
  if (meta === STREAM_STOP) return 'stop'
  const match = /^taken\n(\d{1,10})$/.exec(meta)
  return match === null ? undefined : { taken: Number(match[1]) }
}
