import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ObjectFolders } from '../../runtime/objects/segment-folders.ts'
import { within } from '../support/until.ts'
import type { Answer, Question } from './value-program.ts'

/** A process that writes and maps large values, as an environment does. */
export class ValueProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #ended: Promise<void>
  #count = 0

  static async start(
    folders: ObjectFolders,
    mapperPath: string | undefined,
    onGaveBack: (text: string) => void = () => {},
  ): Promise<ValueProcess> {
    const started = new ValueProcess(folders, mapperPath ?? '', onGaveBack)
    await within(
      'a process to start',
      new Promise<Answer>((resolve) => started.#waiting.set(0, resolve)),
      30_000,
    )
    return started
  }

  constructor(folders: ObjectFolders, mapperPath: string, onGaveBack: (text: string) => void) {
    this.#child = fork(
      fileURLToPath(new URL('./value-program.ts', import.meta.url)),
      [JSON.stringify(folders), mapperPath],
      { execArgv: ['--import', 'tsx'] },
    )
    this.#child.on('message', (answer: Answer) => {
      if (answer.gaveBack !== undefined) return onGaveBack(answer.gaveBack)
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()))
  }

  /** Rejects with an Error of the name and message that the process met. */
  async ask(question: Question): Promise<Answer> {
    this.#count += 1
    const id = this.#count
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    this.#child.send({ id, question })
    const answer = await within(`an answer to ${question.ask}`, answered, 60_000)
    if (answer.error === undefined) return answer
    const error = new Error(answer.error.message)
    error.name = answer.error.name
    throw error
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
