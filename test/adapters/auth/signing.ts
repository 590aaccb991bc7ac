import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import type { SignedRequest } from '../../../adapters/auth/canonical.ts'

/** The hash that the signer of AWS's own SDK works with. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(secret?: unknown) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string | Uint8Array) // as the signer calls it
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
  reset(): void {}
}

/** What is signed, and by whom. */
export interface Wanted {
  readonly method?: string
  /** Encoded as it goes out. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[]>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly keyId: string
  readonly secret: string
  readonly sessionToken?: string | undefined
  readonly region?: string
  readonly service?: string
  readonly atMs: number
  /** Makes a presigned URL that lives so long. */
  readonly expiresSeconds?: number
}

export const HOST = 'localhost:4700'

/** A request as AWS's own SDK for JavaScript signs it. */
export async function sign(wanted: Wanted): Promise<SignedRequest & { readonly body: Buffer }> {
  const { method = 'POST', path, query = {}, headers = {}, body = '', sessionToken } = wanted
  const signer = new SignatureV4({
    credentials: {
      accessKeyId: wanted.keyId,
      secretAccessKey: wanted.secret,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    region: wanted.region ?? 'us-east-1',
    service: wanted.service ?? 'lambda',
    sha256: Sha256 as never, // its digest and update are all that the signer uses
  })
  const request = {
    method,
    protocol: 'http:',
    hostname: 'localhost',
    port: 4700,
    path,
    query: { ...query },
    headers: { host: HOST, ...headers },
    body,
  }
  const options = { signingDate: new Date(wanted.atMs) }
  const signed =
    wanted.expiresSeconds === undefined
      ? await signer.sign(request, options)
      : await signer.presign(request, { ...options, expiresIn: wanted.expiresSeconds })
  return {
    method: signed.method,
    url: signed.path + queryText(signed.query ?? {}),
    rawHeaders: Object.entries(signed.headers).flat(),
    body: Buffer.from(body),
  }
}

/** As AWS's SDK writes a query on the wire. */
function queryText(query: Readonly<Record<string, string | string[] | null>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((one) => `${escape(name)}=${escape(one)}`),
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

const escape = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
