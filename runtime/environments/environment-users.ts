import { join } from 'node:path'
import { EngineError } from '../errors.ts'
import { writePasswd } from './environment-folder.ts'
import { ENVIRONMENT_UIDS, FIRST_ENVIRONMENT_UID } from './isolation.ts'

/** The users that environments run as, each one environment's at a time. */
export class EnvironmentUsers {
  readonly #free: number[]
  readonly #directory: string
  readonly #passwds = new Map<number, Promise<string>>()

  /** `directory` is where their passwd files go. Engines with different cookies begin at different users. */
  constructor(cookie: string, directory: string) {
    this.#directory = directory
    const offset = parseInt(cookie.slice(0, 6), 16)
    this.#free = Array.from(
      { length: ENVIRONMENT_UIDS },
      (_, index) => FIRST_ENVIRONMENT_UID + ((offset + index) % ENVIRONMENT_UIDS),
    )
  }

  /** Throws EngineError 'unavailable' when all are taken. */
  take(): number {
    const uid = this.#free.shift()
    if (uid === undefined) {
      throw new EngineError('unavailable', `All ${ENVIRONMENT_UIDS} users for environments are taken.`)
    }
    return uid
  }

  /** Nothing of `uid` is left. */
  giveBack(uid: number): void {
    this.#free.push(uid)
  }

  /** The passwd file in which `user` has a name. */
  passwdPath(user: number): Promise<string> {
    let written = this.#passwds.get(user)
    if (written === undefined) {
      const path = join(this.#directory, `passwd-${user}`)
      written = writePasswd(path, user).then(() => path)
      this.#passwds.set(user, written)
    }
    return written
  }
}
