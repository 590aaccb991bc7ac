import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A mock of AWS's services, in a process of its own. */
export interface Moto extends AsyncDisposable {
  readonly url: string
  /** What a process or a client needs to find it. */
  readonly environment: Readonly<Record<string, string>>
}

/** moto's own account: the owner of everything in it, whoever asks. */
export const MOTO_ACCOUNT = '123456789012'

/** Why there is no moto here; undefined when there is one. */
export const motoMissing = (): string | undefined =>
  spawnSync('moto_server', ['--help'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'moto_server is not installed (pip install "moto[server]")'

/** Starts moto on a free port and resolves when it serves. `account` is the owner of everything in it. */
export async function startMoto(account = MOTO_ACCOUNT): Promise<Moto> {
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, MOTO_ACCOUNT_ID: account },
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    const said: string[] = []
    child.once('exit', (code) => reject(new Error(`moto_server exited with ${code}: ${said.join('\n')}`)))
    createInterface(child.stderr).on('line', (line) => {
      if (said.length < 50) said.push(line)
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
      if (found !== undefined) resolve(found)
    })
  })
  return {
    url,
    environment: { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
