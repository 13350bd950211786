import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MIGRATION_NAMES, migrate, pendingMigrations } from '../../server/database/migrate.ts'
import { openDatabase } from '../../server/database/open.ts'
import { digest } from '../../server/generator/digest.ts'
import { writeDataSet } from '../../server/generator/write.ts'
import { NOON } from '../support/app.ts'
import { bundled } from '../support/bundled.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { introspect } from '../support/introspect.ts'

async function open(engine: (typeof ENGINES)[number]) {
  const url = await freshDatabase(engine)
  const database = await openDatabase({ url })
  onTestFinished(() => database.close())
  return { url, database, db: database.writer }
}

const OPEN = pathToFileURL(await bundled(new URL('../../server/database/open.ts', import.meta.url))).href

/** Opens the database in a process of its own, as a server does when it starts; returns the identity it found. */
async function openElsewhere(url: string): Promise<{ code: unknown; said: string }> {
  const script = `const { openDatabase } = await import(${JSON.stringify(OPEN)})
    const database = await openDatabase({ url: ${JSON.stringify(url)} })
    console.log(database.id)
    await database.close()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const [said, trouble] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await ended
  return { code, said: said.trim() + trouble.trim() }
}

describe.each(ENGINES)('migrations on %s', engine => {
  test('each undo exactly what they did, one by one to none, and up again', async () => {
    const { db } = await open(engine)
    const newest = await introspect(db, engine)
    const down = MIGRATION_NAMES.toReversed()
    const seen = new Map<string, string[]>()
    for (const [index, name] of down.entries()) {
      seen.set(name, await introspect(db, engine))
      const next = down[index + 1] ?? 'none'
      expect(await migrate(db, engine, next)).toEqual([name])
      expect(await pendingMigrations(db, engine)).toEqual(MIGRATION_NAMES.slice(MIGRATION_NAMES.indexOf(name)))
    }
    expect(await introspect(db, engine)).toEqual([])
    for (const name of MIGRATION_NAMES) {
      expect(await migrate(db, engine, name)).toEqual([name])
      expect(await introspect(db, engine)).toEqual(seen.get(name))
    }
    expect(await introspect(db, engine)).toEqual(newest)
    expect(await migrate(db, engine)).toEqual([])
    await expect(migrate(db, engine, '9999_unknown')).rejects.toThrow()
  })

  test('run back and forth over a database that is full', async () => {
    const { db, database } = await open(engine)
    await writeDataSet(database, { contacts: 60, messages: 600, seed: 3, now: NOON })
    const before = await digest(db)
    const [last] = MIGRATION_NAMES.slice(-1)
    await migrate(db, engine, MIGRATION_NAMES.at(-2))
    expect(await pendingMigrations(db, engine)).toEqual([last])
    await migrate(db, engine)
    expect(await digest(db)).toBe(before)
    const messages = await db.selectFrom('messages').select('id').orderBy('id').execute()
    await migrate(db, engine, MIGRATION_NAMES[0])
    await migrate(db, engine)
    expect(await db.selectFrom('messages').select('id').orderBy('id').execute()).toEqual(messages)
  })

  test('are run once when several processes start on an empty database', async () => {
    const { url, db, database } = await open(engine)
    const newest = await introspect(db, engine)
    await migrate(db, engine, 'none')
    const started = await Promise.all([openElsewhere(url), openElsewhere(url), openElsewhere(url)])
    const [first] = started
    expect(first?.said).toMatch(/^[0-9a-f]{12}$/)
    expect(started).toEqual(started.map(() => ({ code: 0, said: first?.said })))
    expect(first?.said).not.toBe(database.id)
    expect(await introspect(db, engine)).toEqual(newest)
  })
})
