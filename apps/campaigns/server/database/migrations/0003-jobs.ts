import type { Engine } from '../url.ts'
import { addIndex, type AnyDb, columnsOf, oneOf } from './columns.ts'

/** Durable work, and what the cache has still to be told. */
export async function up(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  await db.schema
    .createTable('jobs')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('queue', text(32), c => c.notNull())
    .addColumn('name', text(64), c => c.notNull())
    .addColumn('payload', long, c => c.notNull())
    .addColumn('run_at', time, c => c.notNull())
    .addColumn('priority', integer, c => c.notNull().defaultTo(0))
    .addColumn('attempts', integer, c => c.notNull().defaultTo(0))
    .addColumn('max_attempts', integer, c => c.notNull())
    .addColumn('locked_by', text(64))
    .addColumn('locked_until', time)
    // One live job a key: it is emptied when the job ends, unless the key stands for an occurrence.
    .addColumn('dedupe_key', text(160), c => c.unique())
    .addColumn('status', text(16), c =>
      c.notNull().check(oneOf('status', ['queued', 'running', 'done', 'failed', 'cancelled'])),
    )
    .addColumn('progress', long)
    .addColumn('result', long)
    .addColumn('last_error', text(500))
    .addColumn('created_by', id)
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('started_at', time)
    .addColumn('finished_at', time)
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'jobs', ['status', 'run_at', 'priority'])
  await addIndex(db, 'jobs', ['status', 'locked_until'])
  await addIndex(db, 'jobs', ['created_at', 'id'])
  await addIndex(db, 'jobs', ['name', 'created_at', 'id'])
  await addIndex(db, 'jobs', ['status', 'created_at', 'id'])
  await addIndex(db, 'jobs', ['created_by', 'created_at', 'id'])
  await addIndex(db, 'jobs', ['finished_at'])
  await db.schema
    .createTable('import_errors')
    .addColumn('job_id', id, c => c.notNull())
    .addColumn('line', integer, c => c.notNull())
    .addColumn('field', text(64), c => c.notNull())
    .addColumn('expected', text(255), c => c.notNull())
    .addColumn('received', text(255), c => c.notNull())
    .addPrimaryKeyConstraint('import_errors_pk', ['job_id', 'line'])
    .addForeignKeyConstraint('import_errors_job', ['job_id'], 'jobs', ['id'], c => c.onDelete('cascade'))
    .modifyEnd(tail)
    .execute()
  await db.schema
    .createTable('cache_outbox')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('tags', long, c => c.notNull())
    .addColumn('created_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'cache_outbox', ['created_at', 'id'])
  await db.schema
    .createTable('cache_events')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('kind', text(32), c => c.notNull())
    .addColumn('detail', text(500), c => c.notNull())
    .addColumn('at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'cache_events', ['at', 'id'])
}

export async function down(db: AnyDb): Promise<void> {
  for (const table of ['cache_events', 'cache_outbox', 'import_errors', 'jobs'])
    await db.schema.dropTable(table).execute()
}
