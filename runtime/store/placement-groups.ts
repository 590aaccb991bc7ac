import type { Database } from 'better-sqlite3'

/** The table of placement groups that have names. */
export const placementGroupsSchema = `
CREATE TABLE placement_groups (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  wish_json TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const placementGroupStatements = {
  putPlacementGroup: `INSERT OR REPLACE INTO placement_groups (account, region, name, wish_json, created_at_ms,
      expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)`,
  deletePlacementGroup: 'DELETE FROM placement_groups WHERE account = ? AND region = ? AND name = ?',
} as const satisfies Record<string, string>

/** A row of `placement_groups`. */
export interface PlacementGroupRow {
  account: string
  region: string
  name: string
  wish_json: string
  created_at_ms: number
  expires_at_ms: number | null
}

/** Reads all of them, oldest first; done once, when the engine starts. */
export const readPlacementGroups = (reader: Database): PlacementGroupRow[] =>
  // better-sqlite3 does not know columns; the table above is STRICT and typed beside it
  reader.prepare('SELECT * FROM placement_groups ORDER BY created_at_ms, name').all() as PlacementGroupRow[]
