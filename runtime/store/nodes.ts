import type { Database } from 'better-sqlite3'

/** What was changed about nodes after they were found. */
export const nodesSchema = `
CREATE TABLE node_settings (
  name TEXT PRIMARY KEY,
  settings_json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const nodeStatements = {
  putNodeSettings: 'INSERT OR REPLACE INTO node_settings (name, settings_json) VALUES (?, ?)',
  deleteNodeSettings: 'DELETE FROM node_settings WHERE name = ?',
} as const satisfies Record<string, string>

/** A row of `node_settings`. */
export interface NodeSettingsRow {
  name: string
  settings_json: string
}

/** Read once, when the engine starts. */
export const readNodeSettings = (reader: Database): NodeSettingsRow[] =>
  // the cast: better-sqlite3 does not know columns; the table above is STRICT and typed beside it
  reader.prepare('SELECT * FROM node_settings').all() as NodeSettingsRow[]
