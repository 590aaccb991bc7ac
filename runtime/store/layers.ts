import type { Database } from 'better-sqlite3'

/** Tables of layers. A layer's row outlives its versions, so that no number is given twice. */
export const layersSchema = `
CREATE TABLE layers (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  last_version INTEGER NOT NULL,
  PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE layer_versions (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  package_id TEXT NOT NULL,
  package_size_bytes INTEGER NOT NULL,
  description TEXT NOT NULL,
  license TEXT,
  runtimes_json TEXT,
  architectures_json TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account, region, name, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE layer_policies (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  revision_id TEXT NOT NULL,
  statements_json TEXT NOT NULL,
  PRIMARY KEY (account, region, name, version)
) STRICT, WITHOUT ROWID;
`

const KEY = 'account = ? AND region = ? AND name = ? AND version = ?'

/** Named writes of this family: name -> SQL. */
export const layerStatements = {
  putLayer: 'INSERT OR REPLACE INTO layers (account, region, name, last_version) VALUES (?, ?, ?, ?)',
  putLayerVersion: `INSERT INTO layer_versions (account, region, name, version, package_id, package_size_bytes,
      description, license, runtimes_json, architectures_json, created_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  deleteLayerVersion: `DELETE FROM layer_versions WHERE ${KEY}`,
  putLayerPolicy: `INSERT OR REPLACE INTO layer_policies (account, region, name, version, revision_id,
      statements_json) VALUES (?, ?, ?, ?, ?, ?)`,
  deleteLayerPolicy: `DELETE FROM layer_policies WHERE ${KEY}`,
} as const satisfies Record<string, string>

/** A row of `layers`. */
export interface LayerRow {
  account: string
  region: string
  name: string
  last_version: number
}

/** A row of `layer_versions`. */
export interface LayerVersionRow {
  account: string
  region: string
  name: string
  version: number
  package_id: string
  package_size_bytes: number
  description: string
  license: string | null
  runtimes_json: string | null
  architectures_json: string | null
  created_at_ms: number
}

/** A row of `layer_policies`. */
export interface LayerPolicyRow {
  account: string
  region: string
  name: string
  version: number
  revision_id: string
  statements_json: string
}

/** Reads all layers in one snapshot; done once, when the engine starts. */
export function readLayerRows(reader: Database): {
  layers: LayerRow[]
  versions: LayerVersionRow[]
  policies: LayerPolicyRow[]
} {
  // the casts below: better-sqlite3 does not know columns; the tables above are STRICT and typed beside them
  return reader.transaction(() => ({
    layers: reader.prepare('SELECT * FROM layers').all() as LayerRow[],
    versions: reader.prepare('SELECT * FROM layer_versions ORDER BY version').all() as LayerVersionRow[],
    policies: reader.prepare('SELECT * FROM layer_policies').all() as LayerPolicyRow[],
  }))()
}
