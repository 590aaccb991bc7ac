import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose'

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

/** An issuer of tokens on 127.0.0.1 with its OpenID configuration and keys. */
export interface KeyServer extends AsyncDisposable {
  readonly issuer: string
  /** How often each path was asked for. */
  readonly asked: ReadonlyMap<string, number>
  /** From now on it answers with nothing but 500. */
  fail(failing: boolean): void
  /** Makes a new key, which signs from now on. */
  rotate(): Promise<void>
  /** A token; `claims` on top of issuer, audience `web` and an hour from `nowMs`. */
  token(nowMs: number, claims?: JWTPayload): Promise<string>
}

export async function startKeyServer(): Promise<KeyServer> {
  const asked = new Map<string, number>()
  const keys: JWK[] = []
  let failing = false
  let signing: { kid: string; key: PrivateKey } | undefined
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.set(path, (asked.get(path) ?? 0) + 1)
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { jwks_uri: `${issuer}/keys` },
      '/keys': { keys },
    }
    const answer = failing ? undefined : answers[path]
    response.writeHead(answer === undefined ? 500 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // bound to TCP, so never a path
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const rotate = async (): Promise<void> => {
    const { privateKey, publicKey } = await generateKeyPair('RS256')
    const kid = `key-${keys.length}`
    keys.push({ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' })
    signing = { kid, key: privateKey }
  }
  await rotate()
  return {
    issuer,
    asked,
    rotate,
    fail: (value) => (failing = value),
    token(nowMs, claims = {}) {
      const seconds = Math.floor(nowMs / 1000)
      const all = { iss: issuer, aud: 'web', iat: seconds, exp: seconds + 3600, ...claims }
      if (signing === undefined) throw new Error('there is no key')
      return new SignJWT(all).setProtectedHeader({ alg: 'RS256', kid: signing.kid }).sign(signing.key)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
