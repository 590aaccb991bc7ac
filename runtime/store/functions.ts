import type { Database } from 'better-sqlite3'
import type { AttachmentRow } from './attachments.ts'

/** Tables of functions and what belongs to them. */
export const functionsSchema = `
CREATE TABLE functions (
  function_id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  tags_json TEXT NOT NULL,
  reserved_concurrency INTEGER,
  last_version INTEGER NOT NULL,
  last_generation INTEGER NOT NULL,
  recursion TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  UNIQUE (account, region, name)
) STRICT;
CREATE TABLE function_versions (
  function_id TEXT NOT NULL,
  version TEXT NOT NULL,
  generation INTEGER NOT NULL,
  revision_id TEXT NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  package_id TEXT NOT NULL,
  package_sha256 TEXT NOT NULL,
  package_size_bytes INTEGER NOT NULL,
  settings_json TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL,
  state_reason TEXT,
  update_status TEXT,
  update_reason TEXT,
  PRIMARY KEY (function_id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE function_aliases (
  function_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  description TEXT NOT NULL,
  weights_json TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  PRIMARY KEY (function_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE function_policies (
  function_id TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  statements_json TEXT NOT NULL,
  PRIMARY KEY (function_id, qualifier)
) STRICT, WITHOUT ROWID;
CREATE TABLE function_urls (
  url_id TEXT PRIMARY KEY,
  function_id TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  auth TEXT NOT NULL,
  invoke_mode TEXT,
  cors_json TEXT,
  created_at_ms INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  UNIQUE (function_id, qualifier)
) STRICT;
CREATE TABLE function_event_settings (
  function_id TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  max_retries INTEGER,
  max_age_ms INTEGER,
  on_success TEXT,
  on_failure TEXT,
  modified_at_ms INTEGER NOT NULL,
  PRIMARY KEY (function_id, qualifier)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const functionStatements = {
  putFunction: `INSERT INTO functions (function_id, account, region, name, tags_json, reserved_concurrency,
      last_version, last_generation, recursion, created_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (function_id) DO UPDATE SET tags_json = excluded.tags_json,
      reserved_concurrency = excluded.reserved_concurrency, last_version = excluded.last_version,
      last_generation = excluded.last_generation, recursion = excluded.recursion`,
  deleteFunction: 'DELETE FROM functions WHERE function_id = ?',
  putVersion: `INSERT OR REPLACE INTO function_versions (function_id, version, generation, revision_id,
      modified_at_ms, package_id, package_sha256, package_size_bytes, settings_json, fingerprint,
      state, state_reason, update_status, update_reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  deleteVersion: 'DELETE FROM function_versions WHERE function_id = ? AND version = ?',
  deleteVersions: 'DELETE FROM function_versions WHERE function_id = ?',
  putAlias: `INSERT OR REPLACE INTO function_aliases (function_id, name, version, description, weights_json,
      revision_id) VALUES (?, ?, ?, ?, ?, ?)`,
  deleteAlias: 'DELETE FROM function_aliases WHERE function_id = ? AND name = ?',
  deleteAliases: 'DELETE FROM function_aliases WHERE function_id = ?',
  putPolicy: `INSERT OR REPLACE INTO function_policies (function_id, qualifier, revision_id, statements_json)
    VALUES (?, ?, ?, ?)`,
  deletePolicy: 'DELETE FROM function_policies WHERE function_id = ? AND qualifier = ?',
  deletePolicies: 'DELETE FROM function_policies WHERE function_id = ?',
  putUrl: `INSERT OR REPLACE INTO function_urls (url_id, function_id, qualifier, auth, invoke_mode, cors_json,
      created_at_ms, modified_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  deleteUrl: 'DELETE FROM function_urls WHERE url_id = ?',
  deleteUrls: 'DELETE FROM function_urls WHERE function_id = ?',
  putEventSettings: `INSERT OR REPLACE INTO function_event_settings (function_id, qualifier, max_retries,
      max_age_ms, on_success, on_failure, modified_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  deleteEventSettings: 'DELETE FROM function_event_settings WHERE function_id = ? AND qualifier = ?',
  deleteAllEventSettings: 'DELETE FROM function_event_settings WHERE function_id = ?',
} as const satisfies Record<string, string>

/** A row of `functions`. */
export interface FunctionRow {
  function_id: string
  account: string
  region: string
  name: string
  tags_json: string
  reserved_concurrency: number | null
  last_version: number
  last_generation: number
  recursion: string
  created_at_ms: number
}

/** A row of `function_versions`. */
export interface VersionRow {
  function_id: string
  version: string
  generation: number
  revision_id: string
  modified_at_ms: number
  package_id: string
  package_sha256: string
  package_size_bytes: number
  settings_json: string
  fingerprint: string
  state: string
  state_reason: string | null
  update_status: string | null
  update_reason: string | null
}

/** A row of `function_aliases`. */
export interface AliasRow {
  function_id: string
  name: string
  version: string
  description: string
  weights_json: string
  revision_id: string
}

/** A row of `function_policies`. */
export interface PolicyRow {
  function_id: string
  qualifier: string
  revision_id: string
  statements_json: string
}

/** A row of `function_urls`. */
export interface UrlRow {
  url_id: string
  function_id: string
  qualifier: string
  auth: string
  invoke_mode: string | null
  cors_json: string | null
  created_at_ms: number
  modified_at_ms: number
}

/** A row of `function_event_settings`. */
export interface EventSettingsRow {
  function_id: string
  qualifier: string
  max_retries: number | null
  max_age_ms: number | null
  on_success: string | null
  on_failure: string | null
  modified_at_ms: number
}

/** Everything the registry keeps in memory, as it lies on disk. */
export interface FunctionRows {
  readonly functions: FunctionRow[]
  readonly versions: VersionRow[]
  readonly aliases: AliasRow[]
  readonly policies: PolicyRow[]
  readonly urls: UrlRow[]
  readonly eventSettings: EventSettingsRow[]
  readonly attachments: AttachmentRow[]
}

/** Reads all functions in one snapshot; done once, when the engine starts. */
export function readFunctionRows(reader: Database): FunctionRows {
  // the casts below: better-sqlite3 does not know columns; the tables above are STRICT and typed beside them
  return reader.transaction(() => ({
    functions: reader.prepare('SELECT * FROM functions').all() as FunctionRow[],
    versions: reader.prepare('SELECT * FROM function_versions').all() as VersionRow[],
    aliases: reader.prepare('SELECT * FROM function_aliases').all() as AliasRow[],
    policies: reader.prepare('SELECT * FROM function_policies').all() as PolicyRow[],
    urls: reader.prepare('SELECT * FROM function_urls').all() as UrlRow[],
    eventSettings: reader.prepare('SELECT * FROM function_event_settings').all() as EventSettingsRow[],
    attachments: reader.prepare('SELECT * FROM function_attachments').all() as AttachmentRow[],
  }))()
}
