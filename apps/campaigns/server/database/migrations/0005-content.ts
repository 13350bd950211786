import type { Engine } from '../url.ts'
import { addIndex, type AnyDb, columnsOf, oneOf } from './columns.ts'

/** Pages with their revisions, and the pictures in them. */
export async function up(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  await db.schema
    .createTable('media')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('path', text(200), c => c.notNull())
    .addColumn('name', text(160), c => c.notNull())
    .addColumn('alt', text(300), c => c.notNull().defaultTo(''))
    .addColumn('mime', text(64), c => c.notNull())
    .addColumn('width', integer)
    .addColumn('height', integer)
    .addColumn('variants', long, c => c.notNull())
    .addColumn('size', time, c => c.notNull())
    .addColumn('sha256', text(64), c => c.notNull())
    .addColumn('uploaded_by', id)
    .addColumn('created_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'media', ['created_at', 'id'])
  await db.schema
    .createTable('content')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('slug', text(120), c => c.notNull().unique())
    .addColumn('title', text(200), c => c.notNull())
    .addColumn('body', long, c => c.notNull())
    .addColumn('status', text(16), c => c.notNull().check(oneOf('status', ['draft', 'published'])))
    .addColumn('author_id', id)
    .addColumn('cover_media_id', id)
    .addColumn('version', integer, c => c.notNull())
    // The revision that visitors see; later versions are drafts until they are published too.
    .addColumn('published_version', integer)
    .addColumn('published_at', time)
    .addColumn('search_text', long, c => c.notNull())
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .addForeignKeyConstraint('content_author', ['author_id'], 'users', ['id'], c => c.onDelete('set null'))
    .addForeignKeyConstraint('content_cover', ['cover_media_id'], 'media', ['id'], c => c.onDelete('set null'))
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'content', ['author_id', 'created_at', 'id'])
  await addIndex(db, 'content', ['created_at', 'id'])
  await addIndex(db, 'content', ['status', 'published_at', 'id'])
  await db.schema
    .createTable('content_revisions')
    .addColumn('content_id', id, c => c.notNull())
    .addColumn('version', integer, c => c.notNull())
    .addColumn('title', text(200), c => c.notNull())
    .addColumn('body', long, c => c.notNull())
    .addColumn('cover_media_id', id)
    .addColumn('author_id', id)
    .addColumn('created_at', time, c => c.notNull())
    .addPrimaryKeyConstraint('content_revisions_pk', ['content_id', 'version'])
    .addForeignKeyConstraint('content_revisions_content', ['content_id'], 'content', ['id'], c => c.onDelete('cascade'))
    .modifyEnd(tail)
    .execute()
}

export async function down(db: AnyDb): Promise<void> {
  for (const table of ['content_revisions', 'content', 'media']) await db.schema.dropTable(table).execute()
}
