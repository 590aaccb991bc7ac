/* oxlint-disable unicorn/require-post-message-target-origin -- ports between threads have no origin */
import assert from 'node:assert/strict'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Group } from './groups.ts'
import { JournalStore } from './journal-store.ts'
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.ts'
import { Writer } from './writer.ts'

/**
 * The writer's thread. Groups of changes come on one port, the journal on another: whatever the journal is
 * doing, it lets waiting groups pass between two steps. The end of the groups' port is the signal to stop.
 */
interface ThreadData {
  readonly options: WriterOptions
  readonly groups: MessagePort
  readonly journal: MessagePort
}

/** With nothing to do for this long, the write-ahead log is emptied. */
const IDLE_MS = 1000

/** One message may carry this many groups' worth of work into one transaction. */
const MAX_GROUPS = 16

assert(parentPort !== null, 'this program is a worker thread of the engine')
const { options, groups, journal } = workerData as ThreadData // started by thread-port.ts only
const writer = new Writer(options)
const journalStore = new JournalStore(writer, options.logDirectory)
let busySinceTick = false

groups.on('message', (first: Group) => applyWith(first))
journal.on('message', (message: ToWriter) => {
  answer(message)
  writer.checkpointIfDue()
})
groups.on('close', () => {
  drainJournal()
  journalStore.end()
  writer.close()
  journal.close()
  idleTimer.cancel()
})
const idleTimer = systemClock.every(IDLE_MS, () => {
  if (!busySinceTick) writer.checkpointIdle()
  busySinceTick = false
})
parentPort.postMessage('ready')

/**
 * Writes `first` and every group that has come in behind it in one transaction, then acknowledges them in one
 * message.
 */
function applyWith(first: Group): void {
  busySinceTick = true
  const waiting = [first]
  while (waiting.length < MAX_GROUPS) {
    const next = receiveMessageOnPort(groups)
    if (next === undefined) break
    waiting.push(next.message as Group) // only groups come on this port
  }
  groups.postMessage(writer.apply(waiting))
  writer.checkpointIfDue()
}

/** Lets waiting groups pass. */
function pause(): void {
  const next = receiveMessageOnPort(groups)
  if (next !== undefined) applyWith(next.message as Group) // only groups come on this port
}

function answer(message: ToWriter): void {
  busySinceTick = true
  journal.postMessage(answerTo(message))
  pause()
}

function answerTo(message: ToWriter): FromWriter {
  try {
    if (message.kind === 'batch') return { kind: 'batch', outcome: journalStore.write(message.batch) }
    return { kind: 'answer', answer: journalStore.answer(message.question, pause) }
  } catch (thrown) {
    return { kind: 'failed', message: messageOf(thrown) }
  }
}

function drainJournal(): void {
  for (;;) {
    const next = receiveMessageOnPort(journal)
    if (next === undefined) return
    answer(next.message as ToWriter) // only these come on this port
  }
}
