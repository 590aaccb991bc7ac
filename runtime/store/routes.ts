import type { Database } from 'better-sqlite3'

/** The table of HTTP routes. */
export const routesSchema = `
CREATE TABLE routes (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  shape TEXT NOT NULL,
  source TEXT NOT NULL,
  route_key TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  PRIMARY KEY (account, region, shape)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const routeStatements = {
  putRoute: `INSERT OR REPLACE INTO routes (account, region, shape, source, route_key, function_name, qualifier,
      settings_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  deleteRoutesOf: 'DELETE FROM routes WHERE account = ? AND region = ? AND source = ?',
} as const satisfies Record<string, string>

/** A row of `routes`. */
export interface RouteRow {
  account: string
  region: string
  shape: string
  source: string
  route_key: string
  function_name: string
  qualifier: string
  settings_json: string
}

/** Reads all routes; done once, when the engine starts. */
export const readRouteRows = (reader: Database): RouteRow[] =>
  // better-sqlite3 does not know columns; the table above is STRICT and typed beside it
  reader.prepare('SELECT * FROM routes ORDER BY account, region, shape').all() as RouteRow[]
