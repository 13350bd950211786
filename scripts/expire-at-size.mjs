// The 24-hour task at size, on each engine: many unanswered messages, the task in two processes at once, a third that
// receives answers meanwhile, and a Redis that is killed and comes back. Each contact must be counted once and logged once.
//   node --import tsx --conditions=source scripts/expire-at-size.mjs [--rows 200000] [--replies 4000] [--engine sqlite]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { campaignsExpire } from '../apps/campaigns/server/campaigns/expire.ts'
import { compose } from '../apps/campaigns/server/compose.ts'
import { openDatabase } from '../apps/campaigns/server/database/open.ts'
import { writeDataSet } from '../apps/campaigns/server/generator/write.ts'
import { COUNTERS, NO_COUNTS, recountMessages } from '../apps/campaigns/server/messages/counters.ts'
import { inboxDrain, storeWebhook } from '../apps/campaigns/server/whatsapp/inbox.ts'
import { setup } from '../apps/campaigns/test/support/database-servers.ts'
import { columns, endWith, redisServer, temporaryDirectory } from './redis.mjs'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    replies: { type: 'string', default: '4000' },
    engine: { type: 'string' },
    child: { type: 'string' },
  },
})

const HOUR = 3_600_000
const CAMPAIGNS = 5
const BATCH = 500
const REPLIES_PER_WEBHOOK = 20
/** Redis goes away so long after the start, and comes back so long after that. Milliseconds. */
const KILL_AFTER = 1500
const DOWN_FOR = 2000

const children = { expire: expireHere, replies: replyHere }
if (values.child === undefined) await main()
else process.once('message', task => children[values.child](task).then(tell, fail))

function tell(result) {
  process.send(result, () => process.disconnect())
}

function fail(error) {
  console.error(error)
  process.exit(1)
}

function open({ url, dir }, log) {
  const logger = { warn: () => undefined, info: () => undefined }
  return compose({ database: { url }, dataDir: join(dir, 'data'), log, cache: { dir: join(dir, 'cache'), logger } })
}

/** One run of the task. Who it logged is written to a file, a line for each. */
async function expireHere(task) {
  const lines = createWriteStream(task.log)
  const services = await open(task, pino({ level: 'info' }, lines))
  const { signal } = new AbortController()
  const began = performance.now()
  const context = { id: 'none', payload: {}, attempt: 1, createdBy: null, progress: undefined, signal, services }
  const { result } = await campaignsExpire.run({ ...context, save: async () => undefined })
  const ms = performance.now() - began
  await services.outbox.sweep()
  await services.close()
  lines.end()
  await once(lines, 'finish')
  return { ms, expired: result.expired }
}

function envelopeOf(account, part) {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const messages = part.map(({ wamid, wa_id }) => {
    const context = { from: account.display_phone, id: wamid }
    return { from: wa_id, id: `${wamid}.answer`, timestamp, type: 'text', text: { body: 'Oui' }, context }
  })
  const contacts = part.map(({ wa_id }) => ({ wa_id, profile: { name: 'Somebody' } }))
  const metadata = { display_phone_number: account.display_phone, phone_number_id: account.phone_number_id }
  const value = { messaging_product: 'whatsapp', metadata, contacts, messages }
  const entry = [{ id: account.waba_id, changes: [{ field: 'messages', value }] }]
  return Buffer.from(JSON.stringify({ object: 'whatsapp_business_account', entry }))
}

/** Answers to messages all over the campaigns: some come before the task, some after it. */
async function replyHere(task) {
  const services = await open(task, pino({ level: 'silent' }))
  const { signal } = new AbortController()
  const account = await services.database.writer.selectFrom('wa_accounts').selectAll().executeTakeFirstOrThrow()
  const began = performance.now()
  for (let start = 0; start < task.answers.length; start += REPLIES_PER_WEBHOOK) {
    const part = task.answers.slice(start, start + REPLIES_PER_WEBHOOK)
    await storeWebhook(services, [account], envelopeOf(account, part))
    await inboxDrain.run(services, signal)
  }
  for (let left = 1; left > 0; ) left = await inboxDrain.run(services, signal)
  const ms = performance.now() - began
  await services.close()
  return { ms }
}

function startChild(name, task, env) {
  const path = fileURLToPath(import.meta.url)
  const child = fork(path, ['--child', name], { env: { ...process.env, ...env }, execArgv: process.execArgv })
  endWith(child)
  child.send(task)
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', code => code !== 0 && reject(new Error(`${name} ended with ${code}`)))
  })
}

/** Running campaigns to all contacts, sent longer ago than they wait; nobody has answered. */
async function fill(database, rows) {
  const now = Date.now()
  const contacts = Math.ceil(rows / CAMPAIGNS)
  await writeDataSet(database, { contacts, messages: 0, seed: 1, now })
  const { writer: db } = database
  await db.deleteFrom('campaigns').execute()
  const { id: account_id } = await db.selectFrom('wa_accounts').select('id').executeTakeFirstOrThrow()
  const people = await db.selectFrom('contacts').select(['id', 'wa_id']).orderBy('id').execute()
  const counts = { total: contacts, sent: contacts, delivered: contacts, open_count: contacts }
  const sent_at = now - 30 * HOUR
  const times = { queued_at: sent_at, accepted_at: sent_at, sent_at, delivered_at: sent_at, created_at: sent_at }
  const open = []
  for (let index = 0; index < CAMPAIGNS; index++) {
    const id = `campaign-${index}`
    const moments = { started_at: sent_at, planned_at: sent_at, created_at: sent_at, updated_at: sent_at }
    const campaign = { id, name: `At size ${index}`, status: 'running', account_id, ...counts, ...moments }
    await db.insertInto('campaigns').values(campaign).execute()
    const common = { direction: 'out', campaign_id: id, step: 1, account_id, type: 'template', attempts: 1 }
    const messages = people.map((contact, at) => ({
      ...{ id: `${index}-${String(at).padStart(8, '0')}`, contact_id: contact.id, wamid: `wamid.${index}.${at}` },
      ...{ ...common, status: 'delivered', status_rank: 3, ...times },
    }))
    await db.transaction().execute(async trx => {
      for (let start = 0; start < messages.length; start += BATCH)
        await trx
          .insertInto('messages')
          .values(messages.slice(start, start + BATCH))
          .execute()
    })
    open.push(...messages.map((message, at) => ({ wamid: message.wamid, wa_id: people[at].wa_id })))
  }
  return open.filter(({ wa_id }) => wa_id !== null)
}

function logged(file) {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines
    .flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
    .filter(({ msg }) => msg === 'no interaction in time')
    .map(({ message }) => message)
}

/** What must be so afterwards; returns what is not. */
async function check({ writer: db }, lines) {
  const wrong = []
  const messages = await db
    .selectFrom('messages')
    .select(['id', 'status', 'interacted_at', 'late_interaction_at'])
    .where('step', '=', 1)
    .execute()
  const given = messages.filter(({ status }) => status === 'no_interaction').map(({ id }) => id)
  const open = messages.filter(({ status, interacted_at }) => status !== 'no_interaction' && interacted_at === null)
  if (open.length > 0) wrong.push(`${open.length} recipients are still open`)
  if (new Set(lines).size !== lines.length) wrong.push(`${lines.length - new Set(lines).size} were logged twice`)
  if (lines.toSorted().join() !== given.toSorted().join()) wrong.push(`${given.length} expired, ${lines.length} logged`)
  const counted = await recountMessages(db)
  for (const campaign of await db.selectFrom('campaigns').selectAll().execute()) {
    const expected = counted.get(campaign.id) ?? NO_COUNTS
    const off = COUNTERS.filter(name => campaign[name] !== expected[name])
    if (off.length > 0)
      wrong.push(`${campaign.name}: ${off.map(name => `${name} ${campaign[name]}, not ${expected[name]}`).join('; ')}`)
    if (campaign.status !== 'completed') wrong.push(`${campaign.name} is ${campaign.status}`)
  }
  const notes = await db.selectFrom('cache_outbox').select('id').execute()
  const answered = messages.filter(({ interacted_at }) => interacted_at !== null).length
  const late = messages.filter(({ late_interaction_at }) => late_interaction_at !== null).length
  return { wrong, expired: given.length, answered, late, notes: notes.length }
}

async function runEngine(engine, url) {
  const rows = Number(values.rows)
  const dir = temporaryDirectory('expire-at-size-')
  const redis = await redisServer()
  await redis.start()
  const database = await openDatabase({ url: url ?? `sqlite:${join(dir, 'campaigns.sqlite')}` })
  const open = await fill(database, rows)
  const every = Math.max(1, Math.floor(open.length / Number(values.replies)))
  // From the last campaign to the first, and the task goes the other way: they meet.
  const answers = open
    .filter((_, index) => index % every === 0)
    .toReversed()
    .slice(0, Number(values.replies))
  const address = url ?? `sqlite:${database.sqlitePath}`
  const env = { REDIS_URL: redis.url, CACHE_BACKEND: 'redis' }
  const task = { url: address, dir }
  const files = ['first', 'second', 'again'].map(name => join(dir, `${name}.log`))
  const outage = pause(KILL_AFTER)
    .then(() => redis.kill())
    .then(() => pause(DOWN_FOR))
    .then(() => redis.start())
  const [first, second, replies] = await Promise.all([
    startChild('expire', { ...task, log: files[0] }, env),
    startChild('expire', { ...task, log: files[1] }, env),
    startChild('replies', { ...task, answers }, env),
    outage,
  ])
  // Another run finds nothing more to do but what was answered too late to be counted before.
  const again = await startChild('expire', { ...task, log: files[2] }, env)
  const result = await check(database, files.flatMap(logged))
  await database.close()
  await redis.stop()
  return { engine, first, second, again, replies, ...result }
}

async function main() {
  // Each child, each Redis and each directory is ended with this process.
  process.setMaxListeners(50)
  const servers = new Map()
  const engines = values.engine === undefined ? ['sqlite', 'postgres', 'mysql'] : [values.engine]
  const stop = engines.some(engine => engine !== 'sqlite')
    ? await setup({ provide: (name, url) => servers.set(name.replace('Template', ''), url) })
    : async () => undefined
  const seconds = ms => (ms / 1000).toFixed(1)
  const results = []
  try {
    for (const engine of engines) results.push(await runEngine(engine, servers.get(engine)))
  } finally {
    await stop()
  }
  const head = ['engine', 'first s', 'second s', 'again s', 'answers s', 'expired', 'answered', 'late', 'notes left']
  const lines = results.map(({ engine, first, second, again, replies, expired, answered, late, notes }) => [
    ...[engine, seconds(first.ms), seconds(second.ms), seconds(again.ms), seconds(replies.ms)],
    ...[expired, answered, late, notes],
  ])
  console.log(columns(head, lines))
  for (const { engine, wrong } of results) for (const line of wrong) console.error(`${engine}: ${line}`)
  process.exitCode = results.some(({ wrong }) => wrong.length > 0) ? 1 : 0
}
