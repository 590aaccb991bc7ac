import { LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda'
import { startLambent, type RunningLambent } from '../../../adapters/main.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { readConfig, type ConfigInput } from '../../../runtime/config.ts'
import type { KeyWish, NewKey } from '../../../runtime/keys/key-ring.ts'
import { createLog } from '../../../runtime/log.ts'
import { zipOf } from '../../registry/zip-bytes.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** A whole Lambent in this process that asks for keys, unless it is told otherwise. */
export interface RunningWithKeys extends AsyncDisposable {
  readonly lambent: RunningLambent
  readonly data: string
  readonly api: string
  /** Makes a key; an administrator of the default account when nothing else is wished for. */
  key(wish?: Partial<KeyWish>): Promise<NewKey>
  /** AWS's SDK with a key of this engine. */
  client(key: Pick<NewKey, 'keyId' | 'secret'>, more?: LambdaClientConfig): LambdaClient
}

export async function startWithKeys(more: ConfigInput = {}): Promise<RunningWithKeys> {
  const folder = temporaryDirectory()
  const data = folder.join('data')
  const config = readConfig({ port: '0', 'http-port': '0', data, spares: '0', auth: 'keys', ...more })
  const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
  const lambent = await startLambent(config, { log })
  const clients: LambdaClient[] = []
  return {
    lambent,
    data,
    api: lambent.urls.api,
    key: (wish = {}) =>
      lambent.engine.keys.create({ name: 'test', account: '000000000000', scopes: ['admin'], ...wish }),
    client({ keyId, secret }, settings = {}) {
      const made = new LambdaClient({
        endpoint: lambent.urls.api,
        region: 'us-east-1',
        credentials: { accessKeyId: keyId, secretAccessKey: secret },
        maxAttempts: 1,
        ...settings,
      })
      clients.push(made)
      return made
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy()
      await lambent.stop()
      folder[Symbol.dispose]()
    },
  }
}

/** What CreateFunction is told of a function whose handler is `text`. */
export const functionOf = (name: string, text: string) =>
  ({
    FunctionName: name,
    Role: 'arn:aws:iam::000000000000:role/any',
    Runtime: 'nodejs20.x',
    Handler: 'index.handler',
    Timeout: 30,
    Code: { ZipFile: zipOf([{ name: 'index.js', content: text }]) },
  }) as const

/** The name of the error that a call ends with; '' when it does not fail. */
export async function failureOf(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number }> {
  try {
    await call
    return { name: '', message: '', status: 200 }
  } catch (error) {
    // the SDK's exceptions
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
    return { name, message, status: $metadata?.httpStatusCode ?? 0 }
  }
}
