import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { runMigrate } from '../../server/commands/migrate.ts'
import { recountCampaigns } from '../../server/commands/recount.ts'
import { maintenance } from '../../server/jobs/maintenance.ts'
import { createJobs } from '../../server/jobs/queue.ts'
import { NO_COUNTS } from '../../server/messages/counters.ts'
import { write } from '../../server/work.ts'
import { freshDatabase } from '../support/engines.ts'
import { bundled } from '../support/bundled.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { openServices } from './support/rig.ts'

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

const PROGRAM = await bundled(new URL('../../server/cli.ts', import.meta.url))

async function command(url: string, directory: string, ...args: string[]): Promise<Ended> {
  const environment = {
    ...process.env,
    DATABASE_URL: url,
    DATA_DIR: directory,
    CACHE_DIR: `${directory}/cache`,
    CACHE_BACKEND: 'filesystem',
  }
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ])
  return { code, out, errors }
}

test('a command line that nobody can act on is told what there is', async () => {
  const answer = await command('sqlite:/nowhere/at/all', freshDirectory(), 'tock')
  expect(answer).toMatchObject({ code: 2, out: '' })
  expect(answer.errors).toContain('expected one of tick, migrate, recount, help, received "tock"')
  expect(answer.errors).toContain('palier-campaigns <command>')
})

test('migrate says where a database stands, and brings it there, down and up', async () => {
  const directory = freshDirectory()
  const url = `sqlite:${directory}/new.sqlite`
  const run = async (more: { to?: string; status?: boolean } = {}): Promise<string> => {
    const said: string[] = []
    await runMigrate({ database: { url }, status: false, ...more, say: line => void said.push(line) })
    return said.join('\n')
  }
  await expect(run({ status: true })).rejects.toThrow('has no tables yet')
  const up = await command(url, directory, 'migrate')
  expect(up).toMatchObject({ code: 0, out: expect.stringContaining('migrated  0003_jobs') })
  expect(await run({ to: '0003_jobs' })).toContain('migrated  0004_whatsapp')
  expect(await run({ status: true })).toMatch(/run {6}0003_jobs\nnot run {2}0004_whatsapp/)
  await expect(run({ to: '9' })).rejects.toThrow('--to: expected none or one of 0001')
  expect(await run()).toContain('migrated  0004_whatsapp')
  expect(await run()).toContain('nothing to do')
  expect(await run({ to: 'none' })).toContain('migrated  0001_contacts_and_messages')
})

test('tick does what is due and ends; recount finds, tells and repairs a wrong counter', async () => {
  const directory = freshDirectory()
  const url = await freshDatabase('sqlite')
  const composed = await openServices(Date.now, { url })
  const services = { ...composed, jobs: createJobs({ newId: composed.newId, handlers: [maintenance] }) }
  const id = services.newId()
  await write(services, async work => {
    await services.jobs.add(work, { name: 'maintenance', payload: {} })
    const times = { created_at: work.at, updated_at: work.at }
    const plan = { message2_kind: 'none', interaction_timeout_h: 24, accept_late: 0, version: 1 } as const
    await work.trx
      .insertInto('campaigns')
      .values({ id, name: 'Spring', status: 'completed', ...plan, ...NO_COUNTS, total: 3, open_count: 1, ...times })
      .execute()
  })
  const ticked = await command(url, directory, 'tick', '--seconds', '60', '--verbose')
  expect(ticked.code).toBe(0)
  // What was added, and what the clock adds on a new database.
  expect(ticked.out).toContain('job       maintenance: 2 done')
  const wrong = await command(url, directory, 'recount')
  expect(wrong.code).toBe(1)
  expect(wrong.out.trim().split('\n').sort()).toEqual([
    `campaign ${id}: open_count is 1, its messages are 0`,
    `campaign ${id}: total is 3, its messages are 0`,
  ])
  expect(await recountCampaigns(services, true)).toHaveLength(2)
  expect(await recountCampaigns(services, false)).toEqual([])
}, 120_000)
