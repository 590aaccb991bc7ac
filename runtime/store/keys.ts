import type { Database } from 'better-sqlite3'

/** Keys of callers. Secrets are sealed, tokens are hashed: this table alone opens nothing. */
export const keysSchema = `
CREATE TABLE keys (
  key_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  account TEXT NOT NULL,
  organization TEXT,
  grants_json TEXT NOT NULL,
  sealed_secret BLOB NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  used_at_ms INTEGER
) STRICT;
`

/** Named writes of this family: name -> SQL. */
export const keyStatements = {
  addKey: `INSERT INTO keys (key_id, name, account, organization, grants_json, sealed_secret, token_hash,
      created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  removeKey: 'DELETE FROM keys WHERE key_id = ?',
  noteKeyUse: 'UPDATE keys SET used_at_ms = ? WHERE key_id = ?',
} as const satisfies Record<string, string>

/** A row of `keys`. */
export interface KeyRow {
  key_id: string
  name: string
  account: string
  organization: string | null
  grants_json: string
  sealed_secret: Buffer
  token_hash: string
  created_at_ms: number
  expires_at_ms: number | null
  used_at_ms: number | null
}

/** Every key, oldest first; read once, when the engine starts. */
export const readKeyRows = (reader: Database): KeyRow[] =>
  // the cast: better-sqlite3 does not know columns; the table above is STRICT and typed beside it
  reader.prepare('SELECT * FROM keys ORDER BY created_at_ms, key_id').all() as KeyRow[]
