import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Rng } from '../rng.ts'
import { readKeyRows, type keyStatements, type KeyRow } from '../store/keys.ts'
import type { Change, SqlValue, Store } from '../store/store.ts'
import { formatGrant, parseGrant, type Grant } from './grants.ts'
import { MASTER_KEY_FILE, MasterKey } from './master-key.ts'
import { makeKeyId, makeSecret, makeToken } from './secrets.ts'

/** Who a request comes from, once that is proven. */
export interface Principal {
  /** `session`: a running function, for as long as its environment lives; `engine`: this program itself. */
  readonly kind: 'key' | 'session' | 'engine'
  readonly keyId: string
  /** The key's name; of a session, the function's. */
  readonly name: string
  /** Twelve digits. */
  readonly account: string
  readonly organization: string | null
  readonly grants: readonly Grant[]
}

/** What a signature is checked against. */
export interface Credential {
  readonly principal: Principal
  readonly secret: string
  /** What must come with every signature; undefined: nothing may. */
  readonly sessionToken: string | undefined
  readonly isExpired: boolean
}

/** A key as it may be shown. */
export interface KeyView extends Omit<Principal, 'kind' | 'grants'> {
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  /** Within a minute; null: never. */
  readonly usedAtMs: number | null
}

/** A key on the day it is made: the only time its secret and token are shown. */
export interface NewKey extends KeyView {
  readonly secret: string
  readonly token: string
}

/** What a key should be. */
export interface KeyWish {
  readonly name: string
  readonly account: string
  readonly organization?: string | undefined
  /** As `parseGrant` reads them. */
  readonly scopes: readonly string[]
  readonly expiresAtMs?: number | undefined
}

/** What a running function signs with. */
export interface SessionSecrets {
  readonly keyId: string
  readonly secret: string
  readonly sessionToken: string
}

interface Kept {
  readonly principal: Principal
  readonly secret: string
  readonly tokenHash: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  usedAtMs: number | null
}

/** More keys than this are refused. */
export const MAX_KEYS = 10_000
const MAX_SCOPES = 50
const NAME = /^[\w+=,.@-]{1,64}$/
/** How often at most a key's last use is written down. */
const USE_EVERY_MS = 60_000
const SESSION_GRANTS: readonly Grant[] = [{ action: 'invoke', functions: undefined }]

/** All keys, in memory, and the sessions of running functions. What is asked per request needs no disk. */
export class KeyRing {
  readonly #parts: KeyRingParts
  readonly #keys = new Map<string, Kept>()
  readonly #byToken = new Map<string, Kept>()
  readonly #sessions = new Map<string, Credential>()
  readonly #sessionIds = new Map<string, string>()
  #master: MasterKey | undefined
  #own: { principal: Principal; token: string; tokenHash: string } | undefined

  /** Rejects with EngineError 'unavailable' when keys are there that cannot be opened. */
  constructor(parts: KeyRingParts) {
    this.#parts = parts
    const rows = readKeyRows(parts.store.reader)
    this.#master = MasterKey.read(parts.dataDirectory, parts.rng)
    if (rows.length > 0 && this.#master === undefined)
      throw new EngineError('unavailable', `There are keys, but no ${MASTER_KEY_FILE} to open them with.`, {
        hint: `Put ${parts.dataDirectory}/${MASTER_KEY_FILE} back from a copy.`,
      })
    for (const row of rows) this.#keep(keptOf(row, this.#master))
  }

  /** Whether there is nobody to tell apart. */
  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  /** Whether somebody could administer this engine now. */
  get hasAdmin(): boolean {
    const isAdmin = (kept: Kept): boolean => kept.principal.grants.some(({ action }) => action === 'admin')
    return [...this.#keys.values()].some((kept) => isAdmin(kept) && !this.#isExpired(kept))
  }

  /** Oldest first. */
  list(): KeyView[] {
    return [...this.#keys.values()].map(viewOf)
  }

  /**
   * Makes a key and resolves when it is on disk; `beforeCommit` may hand its secrets out before that.
   *
   * Rejects with EngineError 'invalid' for a wish that cannot be met and 'conflict' at `MAX_KEYS`.
   */
  async create(wish: KeyWish, beforeCommit: (key: NewKey) => void = () => {}): Promise<NewKey> {
    checkWish(wish)
    if (this.#keys.size >= MAX_KEYS) throw new EngineError('conflict', `There are ${MAX_KEYS} keys already.`)
    const { rng, clock, store, dataDirectory } = this.#parts
    this.#master ??= MasterKey.make(dataDirectory, rng)
    const token = makeToken(rng)
    const kept: Kept = {
      principal: {
        kind: 'key',
        keyId: makeKeyId(rng, 'key'),
        name: wish.name,
        account: wish.account,
        organization: wish.organization ?? null,
        grants: wish.scopes.map(parseGrant),
      },
      secret: makeSecret(rng),
      tokenHash: hashOf(token),
      createdAtMs: clock.nowMs(),
      expiresAtMs: wish.expiresAtMs ?? null,
      usedAtMs: null,
    }
    const key: NewKey = { ...viewOf(kept), secret: kept.secret, token }
    beforeCommit(key)
    await store.commit([addKey(kept, this.#master)])
    this.#keep(kept)
    return key
  }

  /** Ends a key at once, and resolves when that is on disk. Rejects with EngineError 'not-found'. */
  async revoke(keyId: string): Promise<void> {
    const kept = this.#keys.get(keyId)
    if (kept === undefined) throw new EngineError('not-found', `There is no key ${keyId.slice(0, 100)}.`)
    this.#keys.delete(keyId)
    this.#byToken.delete(kept.tokenHash)
    await this.#parts.store.commit([change('removeKey', keyId)])
  }

  /** What a signature that names `keyId` is checked against. */
  credential(keyId: string): Credential | undefined {
    const session = this.#sessions.get(keyId)
    if (session !== undefined) return session
    const kept = this.#keys.get(keyId)
    if (kept === undefined) return undefined
    const { principal, secret } = kept
    return { principal, secret, sessionToken: undefined, isExpired: this.#isExpired(kept) }
  }

  /** Whose bearer token this is. */
  bearer(token: string): { principal: Principal; isExpired: boolean } | undefined {
    const hash = hashOf(token) // looked up by hash: how long that takes says nothing about the token
    if (hash === this.#own?.tokenHash) return { principal: this.#own.principal, isExpired: false }
    const kept = this.#byToken.get(hash)
    return kept === undefined ? undefined : { principal: kept.principal, isExpired: this.#isExpired(kept) }
  }

  /** Notes that a key was used; written now and then. */
  noteUse({ keyId }: Principal): void {
    const kept = this.#keys.get(keyId)
    if (kept === undefined) return
    const now = this.#parts.clock.nowMs()
    if (kept.usedAtMs !== null && now - kept.usedAtMs < USE_EVERY_MS) return
    kept.usedAtMs = now
    this.#parts.store.append([change('noteKeyUse', now, keyId)])
  }

  /** A token with which this program calls itself; it is kept nowhere and ends with the process. */
  ownToken(account: string): string {
    const token = makeToken(this.#parts.rng)
    this.#own ??= {
      token,
      tokenHash: hashOf(token),
      principal: {
        kind: 'engine',
        keyId: 'engine',
        name: 'engine',
        account,
        organization: null,
        grants: [{ action: 'admin', functions: undefined }],
      },
    }
    return this.#own.token
  }

  /** What a function may sign with until `closeSession`: it may invoke others, nothing else. */
  openSession(environmentId: string, account: string, functionName: string): SessionSecrets {
    this.closeSession(environmentId)
    const { rng } = this.#parts
    const secrets = {
      keyId: makeKeyId(rng, 'session'),
      secret: makeSecret(rng),
      sessionToken: makeSecret(rng),
    }
    const principal: Principal = {
      kind: 'session',
      keyId: secrets.keyId,
      name: functionName,
      account,
      organization: null,
      grants: SESSION_GRANTS,
    }
    this.#sessions.set(secrets.keyId, { ...secrets, principal, isExpired: false })
    this.#sessionIds.set(environmentId, secrets.keyId)
    return secrets
  }

  /** Ends what `openSession` gave out. */
  closeSession(environmentId: string): void {
    this.#sessions.delete(this.#sessionIds.get(environmentId) ?? '')
    this.#sessionIds.delete(environmentId)
  }

  #keep(kept: Kept): void {
    this.#keys.set(kept.principal.keyId, kept)
    this.#byToken.set(kept.tokenHash, kept)
  }

  #isExpired(kept: Kept): boolean {
    return kept.expiresAtMs !== null && kept.expiresAtMs <= this.#parts.clock.nowMs()
  }
}

/** What a key ring is made of. */
export interface KeyRingParts {
  readonly store: Pick<Store, 'reader' | 'commit' | 'append'>
  readonly dataDirectory: string
  readonly clock: Clock
  readonly rng: Rng
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

const change = (statement: keyof typeof keyStatements, ...parameters: SqlValue[]): Change => [
  statement,
  ...parameters,
]

const addKey = ({ principal, ...kept }: Kept, master: MasterKey): Change =>
  change(
    'addKey',
    principal.keyId,
    principal.name,
    principal.account,
    principal.organization,
    JSON.stringify(principal.grants.map(formatGrant)),
    master.seal(kept.secret, principal.keyId),
    kept.tokenHash,
    kept.createdAtMs,
    kept.expiresAtMs,
  )

const keptOf = (row: KeyRow, master: MasterKey | undefined): Kept => ({
  principal: {
    kind: 'key',
    keyId: row.key_id,
    name: row.name,
    account: row.account,
    organization: row.organization,
    grants: (JSON.parse(row.grants_json) as string[]).map(parseGrant), // as `addKey` wrote them
  },
  secret: master?.unseal(row.sealed_secret, row.key_id) ?? '',
  tokenHash: row.token_hash,
  createdAtMs: row.created_at_ms,
  expiresAtMs: row.expires_at_ms,
  usedAtMs: row.used_at_ms,
})

const viewOf = ({ principal, createdAtMs, expiresAtMs, usedAtMs }: Kept): KeyView => ({
  keyId: principal.keyId,
  name: principal.name,
  account: principal.account,
  organization: principal.organization,
  scopes: principal.grants.map(formatGrant),
  createdAtMs,
  expiresAtMs,
  usedAtMs,
})

function checkWish({ name, account, organization, scopes }: KeyWish): void {
  if (!NAME.test(name))
    throw new EngineError('invalid', 'The name of a key is 1 to 64 of [A-Za-z0-9_+=,.@-].')
  if (!/^\d{12}$/.test(account)) throw new EngineError('invalid', 'An account is 12 digits.')
  if (organization !== undefined && !/^o-[a-z0-9]{10,32}$/.test(organization))
    throw new EngineError('invalid', 'An organization reads o- and 10 to 32 of [a-z0-9].')
  if (scopes.length === 0 || scopes.length > MAX_SCOPES)
    throw new EngineError('invalid', `A key has 1 to ${MAX_SCOPES} scopes.`)
}
