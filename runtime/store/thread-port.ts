import { MessageChannel, Worker, type Transferable } from 'node:worker_threads'
import { entryPath } from '../entries.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type {
  BatchOutcome,
  FromWriter,
  GroupOutcome,
  ToWriter,
  WriterOptions,
  WriterPort,
} from './writer-messages.ts'

type Asked = { resolve: (answer: never) => void; reject: (error: Error) => void }
type JournalWaiter = { kind: 'batch'; done: (outcome: BatchOutcome) => void } | ({ kind: 'ask' } & Asked)

/**
 * Starts the writer in a thread. When the thread fails, everything that waits and everything that comes
 * later is answered with 'unavailable': nobody hangs on a writer that is gone. `program` is
 * committer-thread.ts, built.
 */
export async function startWriterThread(
  options: WriterOptions,
  log: Log,
  program: string = entryPath('committer.js'),
): Promise<WriterPort> {
  const groups = new MessageChannel()
  const journal = new MessageChannel()
  const worker = new Worker(program, {
    workerData: { options, groups: groups.port2, journal: journal.port2 },
    transferList: [groups.port2, journal.port2],
    env: {},
    execArgv: [],
    name: 'lambent committer',
  })
  const waitingGroups: ((outcome: GroupOutcome) => void)[] = []
  const waitingJournal: JournalWaiter[] = []
  const groupSizes: number[] = []
  let failure: EngineError | undefined

  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    void exited.then(() => reject(failure ?? stopped('it ended while starting')))
  })
  const failAll = (error: EngineError): void => {
    failure ??= error
    const outcome = { droppedLines: 0, droppedRuns: 0, problem: error.message }
    for (const done of waitingGroups.splice(0)) done(failedGroup(groupSizes.shift() ?? 0, error.message))
    for (const waiter of waitingJournal.splice(0))
      if (waiter.kind === 'batch') waiter.done(outcome)
      else waiter.reject(error)
  }
  worker.on('error', (thrown) => {
    log.error('committer failed', { error: thrown })
    failAll(stopped(messageOf(thrown)))
  })
  void exited.then(() => failAll(stopped('it has ended')))

  groups.port1.on('message', (outcomes: GroupOutcome[]) => {
    for (const outcome of outcomes) {
      groupSizes.shift()
      waitingGroups.shift()?.(outcome)
    }
  })
  journal.port1.on('message', (message: FromWriter) => {
    const waiter = waitingJournal.shift()
    if (waiter !== undefined) settle(waiter, message)
  })
  const tellJournal = (message: ToWriter, waiter: JournalWaiter, transfer: Transferable[]): void => {
    waitingJournal.push(waiter)
    journal.port1.postMessage(message, transfer)
  }

  await ready
  return {
    group(group, done) {
      if (failure !== undefined) return done(failedGroup(group.sets, failure.message))
      waitingGroups.push(done)
      groupSizes.push(group.sets)
      groups.port1.postMessage(group, [group.blobs])
    },
    batch(batch, done) {
      if (failure !== undefined) return done({ droppedLines: 0, droppedRuns: 0, problem: failure.message })
      tellJournal({ kind: 'batch', batch }, { kind: 'batch', done }, [batch.numbers.buffer])
    },
    ask(question) {
      return new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        tellJournal({ kind: 'ask', question }, { kind: 'ask', resolve, reject }, [])
      })
    },
    async close() {
      groups.port1.close()
      await exited
      journal.port1.close()
    },
  }
}

function settle(waiter: JournalWaiter, message: FromWriter): void {
  if (waiter.kind === 'batch')
    waiter.done(
      message.kind === 'batch'
        ? message.outcome
        : { droppedLines: 0, droppedRuns: 0, problem: message.kind === 'failed' ? message.message : '' },
    )
  else if (message.kind === 'answer')
    waiter.resolve(message.answer as never) // answers come in the order of questions
  else
    waiter.reject(new EngineError('unavailable', message.kind === 'failed' ? message.message : 'No answer.'))
}

function failedGroup(sets: number, message: string): GroupOutcome {
  return {
    failures: Array.from({ length: sets }, (_, set) => ({ set, code: 'unavailable', message, detail: '' })),
  }
}

const stopped = (why: string): EngineError =>
  new EngineError('unavailable', `The thread that writes the database is gone: ${why}.`, {
    hint: 'Restart the engine; its log says what happened.',
  })
