import Sqlite, { type Database as SqliteFile, type Statement } from 'better-sqlite3'
import type { QueryResult } from 'kysely'

/**
 * One open SQLite file. Reader threads load this and nothing else: a thread that had to load the query builder too
 * would take several times as long to start.
 */

const KEPT_STATEMENTS = 200

/** Runs one statement on an open file. Prepared statements are kept, the least recently used are let go. */
export function createRunner(file: SqliteFile): (sql: string, parameters: readonly unknown[]) => QueryResult<unknown> {
  const statements = new Map<string, Statement>()
  const prepare = (sql: string): Statement => {
    let statement = statements.get(sql)
    if (statement === undefined) statement = file.prepare(sql)
    else statements.delete(sql)
    statements.set(sql, statement)
    const oldest = statements.size > KEPT_STATEMENTS ? statements.keys().next() : undefined
    if (oldest?.done === false) statements.delete(oldest.value)
    return statement
  }
  return (sql, parameters) => {
    const statement = prepare(sql)
    if (statement.reader) return { rows: statement.all(...parameters) }
    const { changes, lastInsertRowid } = statement.run(...parameters)
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
  }
}

/** Opens a database file the way the application needs it. Readers refuse to write and never create the file. */
export function openFile(path: string, mode: 'read' | 'write'): SqliteFile {
  const file = new Sqlite(path, mode === 'read' ? { readonly: true, fileMustExist: true } : {})
  file.pragma('busy_timeout = 5000')
  if (mode === 'write') file.pragma('journal_mode = WAL')
  // In WAL mode NORMAL cannot corrupt the file; a power cut may lose the last commits, never part of one.
  file.pragma('synchronous = NORMAL')
  file.pragma('foreign_keys = ON')
  file.pragma('cache_size = -65536')
  return file
}
