import { sql } from 'kysely'
import type { Engine } from '../url.ts'
import { addIndex, type AnyDb, dropIndex } from './columns.ts'

/**
 * Full-text search over contacts, content and the names of campaigns. The database keeps each index by itself, so no
 * write can forget it. What is folded already is taken as it is; the names of campaigns are folded here.
 */
const SOURCES = [
  { table: 'contacts', column: 'search_text' },
  { table: 'content', column: 'search_text' },
  { table: 'campaigns', column: 'name' },
] as const
type Source = (typeof SOURCES)[number]

const run = async (db: AnyDb, statements: readonly string[]): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

/**
 * FTS5 wants whole numbers as keys, and rows with a text for a primary key have none that stays: VACUUM may give them
 * others. So each row gets a number in `search_<table>`, and the index reads its texts through a view.
 */
const sqliteUp = ({ table, column }: Source): readonly string[] => {
  const numbers = `search_${table}`
  const index = `${numbers}_index`
  const number = (row: string): string => `(select id from ${numbers} where ref = ${row}.id)`
  const add = `insert into ${index} (rowid, words) values (${number('new')}, new.${column});`
  const remove = `insert into ${index} (${index}, rowid, words) values ('delete', ${number('old')}, old.${column});`
  return [
    `create table ${numbers} (id integer primary key, ref varchar(36) not null unique)`,
    `create view ${numbers}_text as select n.id, t.${column} as words from ${numbers} n join ${table} t on t.id = n.ref`,
    `create virtual table ${index} using fts5(words, content = '${numbers}_text', content_rowid = 'id',
      tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')`,
    `insert into ${numbers} (ref) select id from ${table} order by created_at, id`,
    `insert into ${index} (${index}) values ('rebuild')`,
    `create trigger ${numbers}_added after insert on ${table} begin
      insert into ${numbers} (ref) values (new.id); ${add} end`,
    `create trigger ${numbers}_changed after update of ${column} on ${table}
      when old.${column} <> new.${column} begin ${remove} ${add} end`,
    `create trigger ${numbers}_deleted after delete on ${table} begin
      ${remove} delete from ${numbers} where ref = old.id; end`,
  ]
}

const sqliteDown = ({ table }: Source): readonly string[] => [
  ...['added', 'changed', 'deleted'].map(event => `drop trigger search_${table}_${event}`),
  ...[`table search_${table}_index`, `view search_${table}_text`, `table search_${table}`].map(what => `drop ${what}`),
]

/** All but letters and digits, by their numbers: classes like [[:alnum:]] mean something else in each locale. */
const SEPARATORS = String.raw`[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\U0001f000-\U0001faff]+`

/** A table of its own: a contact changes with each of its messages, and its words would be written again each time. */
const postgresUp = ({ table, column }: Source): readonly string[] => {
  const kept = `search_${table}`
  return [
    `create table ${kept} (ref varchar(36) collate "C" primary key, words tsvector not null)`,
    `insert into ${kept} select id, search_words(${column}) from ${table}`,
    `create index ${kept}_by_words on ${kept} using gin (words)`,
    `create function ${kept}_keep() returns trigger language plpgsql as $$ begin
      if tg_op = 'DELETE' then
        delete from ${kept} where ref = old.id;
      else
        insert into ${kept} (ref, words) values (new.id, search_words(new.${column}))
          on conflict (ref) do update set words = excluded.words;
      end if;
      return null;
    end $$`,
    `create trigger ${kept}_keep after insert or update of ${column} or delete on ${table}
      for each row execute function ${kept}_keep()`,
  ]
}

const POSTGRES_WORDS = String.raw`create function search_words(source text) returns tsvector language sql immutable as $$
  select to_tsvector('simple'::regconfig, regexp_replace(
    regexp_replace(normalize(source, NFKD), '[\u0300-\u036f]+', '', 'g'), '${SEPARATORS}', ' ', 'g')) $$`

const postgresDown = ({ table }: Source): readonly string[] => [
  `drop trigger search_${table}_keep on ${table}`,
  `drop function search_${table}_keep()`,
  `drop table search_${table}`,
]

/**
 * A generated column, because triggers need a privilege that shared hosts do not give. FULLTEXT leaves out words shorter
 * than the server's minimum and those of its stop list: with the same three letters before each, none is either. The
 * column is invisible, for the sake of `select *`. Names are compared without case and accents by their collation.
 */
const mysqlUp = ({ table, column }: Source): readonly string[] => {
  const folded = column === 'search_text'
  const collation = folded ? 'utf8mb4_bin' : 'utf8mb4_unicode_ci'
  const words = `concat('qqq', regexp_replace(${column}, '[^[:alnum:]]+', ' qqq'))`
  return [
    `alter table ${table} add column search_words mediumtext character set utf8mb4 collate ${collation}
      generated always as (${words}) stored invisible`,
    `alter table ${table} add fulltext index ${table}_by_search_words (search_words)`,
  ]
}

const mysqlDown = ({ table }: Source): readonly string[] => [
  `alter table ${table} drop index ${table}_by_search_words, drop column search_words`,
]

const STEPS = {
  sqlite: { up: sqliteUp, down: sqliteDown },
  postgres: { up: postgresUp, down: postgresDown },
  mysql: { up: mysqlUp, down: mysqlDown },
} as const

export async function up(db: AnyDb, engine: Engine): Promise<void> {
  if (engine === 'postgres') await run(db, [POSTGRES_WORDS])
  for (const source of SOURCES) await run(db, STEPS[engine].up(source))
  // Whether a picture is in use is asked by its key and by its bytes.
  await addIndex(db, 'media', ['sha256'])
  // MySQL has made this one for the foreign key.
  if (engine !== 'mysql') await addIndex(db, 'content', ['cover_media_id'])
}

export async function down(db: AnyDb, engine: Engine): Promise<void> {
  if (engine !== 'mysql') await dropIndex(db, engine, 'content', ['cover_media_id'])
  await dropIndex(db, engine, 'media', ['sha256'])
  for (const source of SOURCES) await run(db, STEPS[engine].down(source))
  if (engine === 'postgres') await run(db, ['drop function search_words(text)'])
}
