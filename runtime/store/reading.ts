import type { Database, Statement } from 'better-sqlite3'
import type { SqlValue } from './store.ts'

/**
 * Statements of one connection, each prepared once. The texts are constants of this folder, so their number
 * is bounded.
 */
export interface PreparedStatements {
  get(sql: string, parameters: readonly SqlValue[]): unknown
  all(sql: string, parameters: readonly SqlValue[]): unknown[]
  /** As `all`, each row an array in the order of the columns. */
  rows(sql: string, parameters: readonly SqlValue[]): unknown[]
  run(sql: string, parameters: readonly SqlValue[]): number
}

const known = new WeakMap<Database, PreparedStatements>()

/** The prepared statements of `db`; made at the first call, gone with the connection. */
export function statementsOf(db: Database): PreparedStatements {
  const found = known.get(db)
  if (found !== undefined) return found
  const made = preparedStatements(db)
  known.set(db, made)
  return made
}

function preparedStatements(db: Database): PreparedStatements {
  const prepared = new Map<string, Statement>()
  const statement = (sql: string): Statement => {
    const found = prepared.get(sql)
    if (found !== undefined) return found
    const made = db.prepare(sql)
    prepared.set(sql, made)
    return made
  }
  return {
    get: (sql, parameters) => statement(sql).get(parameters),
    all: (sql, parameters) => statement(sql).raw(false).all(parameters),
    rows: (sql, parameters) => statement(sql).raw(true).all(parameters),
    /** How many rows changed. */
    run: (sql, parameters) => statement(sql).run(parameters).changes,
  }
}
