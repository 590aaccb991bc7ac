import { JournalStore } from './journal-store.ts'
import type { WriterAnswers, WriterOptions, WriterPort, WriterQuestion } from './writer-messages.ts'
import { Writer } from './writer.ts'

/** The writer in this thread: the same code, one step after the other, for simulations and unit tests. */
export function inlineWriter(options: WriterOptions): WriterPort & { readonly writer: Writer } {
  const writer = new Writer(options)
  const journal = new JournalStore(writer, options.logDirectory)
  const noPause = (): void => undefined
  return {
    writer,
    group(group, done) {
      const [outcome] = writer.apply([group])
      writer.checkpointIfDue()
      queueMicrotask(() => done(outcome ?? { failures: [] }))
    },
    batch(batch, done) {
      const outcome = journal.write(batch)
      writer.checkpointIfDue()
      queueMicrotask(() => done(outcome))
    },
    async ask<Question extends WriterQuestion>(question: Question) {
      const answer = journal.answer(question, noPause)
      return answer as WriterAnswers[Question['kind']] // each case answers with its own type
    },
    async close() {
      journal.end()
      writer.close()
    },
  }
}
