import type { Database } from 'better-sqlite3'

/** Table of code signing configurations. */
export const codeSigningSchema = `
CREATE TABLE code_signing_configs (
  config_id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  description TEXT,
  publishers_json TEXT NOT NULL,
  policy TEXT NOT NULL,
  tags_json TEXT NOT NULL,
  modified_at_ms INTEGER NOT NULL
) STRICT;
`

/** Named writes of this family: name -> SQL. */
export const codeSigningStatements = {
  putCodeSigningConfig: `INSERT OR REPLACE INTO code_signing_configs (config_id, account, region, description,
      publishers_json, policy, tags_json, modified_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  deleteCodeSigningConfig: 'DELETE FROM code_signing_configs WHERE config_id = ?',
} as const satisfies Record<string, string>

/** A row of `code_signing_configs`. */
export interface CodeSigningRow {
  config_id: string
  account: string
  region: string
  description: string | null
  publishers_json: string
  policy: string
  tags_json: string
  modified_at_ms: number
}

/** Reads all code signing configurations; done once, when the engine starts. */
export const readCodeSigningRows = (reader: Database): CodeSigningRow[] =>
  // the cast: better-sqlite3 does not know columns; the table above is STRICT and typed beside this
  reader.prepare('SELECT * FROM code_signing_configs').all() as CodeSigningRow[]
