import { type Kysely, sql } from 'kysely'
import type { Tables } from '../../server/database/schema.ts'
import type { Engine } from '../../server/database/url.ts'

/**
 * What a database is made of, one line a column, index, constraint, trigger or function, sorted: two schemas are the same
 * when these are. The migrator's own tables are left out, and the order of columns, which adding and dropping changes.
 */
const QUERIES: Readonly<Record<Engine, readonly string[]>> = {
  sqlite: [
    `select 'column ' || m.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '-')
       || ' ' || c.pk || ' ' || c.hidden as line
     from sqlite_master m, pragma_table_xinfo(m.name) c where m.type in ('table', 'view')`,
    `select 'index ' || m.name || ' ' || case when i.origin = 'c' then i.name else i.origin end || ' ' || i."unique" || ' '
       || (select group_concat(name || coalesce(desc, '')) from pragma_index_xinfo(i.name) where key = 1) as line
     from sqlite_master m, pragma_index_list(m.name) i where m.type = 'table'`,
    `select 'reference ' || m.name || '.' || f."from" || ' ' || f."table" || '.' || coalesce(f."to", '') || ' ' || f.on_delete
       as line from sqlite_master m, pragma_foreign_key_list(m.name) f where m.type = 'table'`,
    `select type || ' ' || name || ' ' || case when type in ('trigger', 'view') then sql else '' end as line
     from sqlite_master where name not like 'sqlite_%' and type <> 'index'`,
  ],
  postgres: [
    `select concat_ws(' ', 'column', table_name || '.' || column_name, data_type, character_maximum_length, collation_name,
       is_nullable, column_default) as line from information_schema.columns where table_schema = 'public'`,
    `select 'index ' || indexdef as line from pg_indexes where schemaname = 'public'`,
    `select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) as line
     from pg_constraint where connamespace = 'public'::regnamespace`,
    `select 'trigger ' || pg_get_triggerdef(oid) as line from pg_trigger where not tgisinternal`,
    `select 'function ' || pg_get_functiondef(oid) as line from pg_proc where pronamespace = 'public'::regnamespace`,
  ],
  mysql: [
    `select concat_ws(' ', 'column', concat(table_name, '.', column_name), column_type, collation_name, is_nullable,
       column_default, extra, generation_expression) as line from information_schema.columns where table_schema = database()`,
    `select concat_ws(' ', 'index', table_name, index_name, non_unique, index_type,
       group_concat(column_name order by seq_in_index)) as line from information_schema.statistics
     where table_schema = database() group by table_name, index_name, non_unique, index_type`,
    `select concat_ws(' ', 'reference', table_name, constraint_name, referenced_table_name, delete_rule) as line
     from information_schema.referential_constraints where constraint_schema = database()`,
    `select concat_ws(' ', 'table', table_name, engine, table_collation) as line from information_schema.tables
     where table_schema = database()`,
    `select concat_ws(' ', 'check', table_name, check_clause) as line from information_schema.check_constraints
     where constraint_schema = database()`,
  ],
}

export async function introspect(db: Kysely<Tables>, engine: Engine): Promise<string[]> {
  const lines: string[] = []
  for (const query of QUERIES[engine]) {
    const { rows } = await sql.raw<{ line: string }>(query).execute(db)
    lines.push(...rows.map(row => row.line))
  }
  return lines.filter(line => !line.includes('kysely_migration')).sort()
}
