import type { Database } from 'better-sqlite3'

/** Tables of what is kept ready for functions, and of the pools of machine resources they run in. */
export const capacitySchema = `
CREATE TABLE function_provisioned (
  function_id TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  requested INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  PRIMARY KEY (function_id, qualifier)
) STRICT, WITHOUT ROWID;
CREATE TABLE function_scaling (
  function_id TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  min_environments INTEGER,
  max_environments INTEGER,
  PRIMARY KEY (function_id, qualifier)
) STRICT, WITHOUT ROWID;
CREATE TABLE capacity_providers (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  tags_json TEXT NOT NULL,
  state TEXT NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const capacityStatements = {
  putProvisioned: `INSERT OR REPLACE INTO function_provisioned (function_id, qualifier, requested, modified_at_ms)
    VALUES (?, ?, ?, ?)`,
  deleteProvisioned: 'DELETE FROM function_provisioned WHERE function_id = ? AND qualifier = ?',
  deleteAllProvisioned: 'DELETE FROM function_provisioned WHERE function_id = ?',
  putScaling: `INSERT OR REPLACE INTO function_scaling (function_id, qualifier, min_environments,
      max_environments) VALUES (?, ?, ?, ?)`,
  deleteScaling: 'DELETE FROM function_scaling WHERE function_id = ? AND qualifier = ?',
  deleteAllScaling: 'DELETE FROM function_scaling WHERE function_id = ?',
  putCapacityProvider: `INSERT OR REPLACE INTO capacity_providers (account, region, name, settings_json,
      tags_json, state, modified_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  deleteCapacityProvider: 'DELETE FROM capacity_providers WHERE account = ? AND region = ? AND name = ?',
} as const satisfies Record<string, string>

/** A row of `function_provisioned`. */
export interface ProvisionedRow {
  function_id: string
  qualifier: string
  requested: number
  modified_at_ms: number
}

/** A row of `function_scaling`. */
export interface ScalingRow {
  function_id: string
  qualifier: string
  min_environments: number | null
  max_environments: number | null
}

/** A row of `capacity_providers`. */
export interface CapacityProviderRow {
  account: string
  region: string
  name: string
  settings_json: string
  tags_json: string
  state: string
  modified_at_ms: number
}

/** What belongs to functions; read once, when the engine starts. */
export const readProvisioned = (reader: Database): ProvisionedRow[] =>
  // the casts: better-sqlite3 does not know columns; the tables above are STRICT and typed beside them
  reader.prepare('SELECT * FROM function_provisioned').all() as ProvisionedRow[]

/** As above. */
export const readScaling = (reader: Database): ScalingRow[] =>
  reader.prepare('SELECT * FROM function_scaling').all() as ScalingRow[]

/** As above. */
export const readCapacityProviders = (reader: Database): CapacityProviderRow[] =>
  reader.prepare('SELECT * FROM capacity_providers').all() as CapacityProviderRow[]
