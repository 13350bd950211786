import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createLog } from '../../server/log.ts'
import { mailDrain, sendMail } from '../../server/mail/outbox.ts'
import { createMailer, type Letter } from '../../server/mail/mailer.ts'
import type { Services } from '../../server/services.ts'
import { write } from '../../server/work.ts'
import { openSite } from '../access/site.ts'
import { comeIn } from '../access/visitor.ts'
import { NOON } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { startSmtp } from './smtp-server.ts'

const LETTER = { to: 'ada@example.org', subject: 'Été à Paris', body: 'Bonjour Ada,\n\n.hidden dot\nà bientôt\n' }

const put = (services: Services, letter: Letter = LETTER): Promise<void> =>
  write(services, work => sendMail(services, work, letter))
const drain = (services: Services): Promise<number> => mailDrain.run(services, new AbortController().signal)
const rows = ({ database }: Services) => database.writer.selectFrom('emails').selectAll().orderBy('id').execute()

describe('mail', () => {
  test('is handed to the server once, encoded, and nothing of its text stays behind', async () => {
    const smtp = await startSmtp()
    const { services } = await openSite({ smtpUrl: smtp.url, now: () => NOON })
    await put(services)
    expect(JSON.stringify(await rows(services))).not.toContain('Bonjour')
    expect(await drain(services)).toBe(1)
    expect(await drain(services)).toBe(0)
    expect(smtp.taken).toHaveLength(1)
    expect(smtp.commands).toContain('RCPT TO:<ada@example.org>')
    expect(smtp.taken[0]).toMatch(/^Subject: =\?UTF-8\?/m)
    expect(smtp.taken[0]).toMatch(/^To: ada@example\.org/m)
    expect(smtp.taken[0]).toMatch(/^From: Campaigns <campaigns@localhost/m)
    expect(await rows(services)).toMatchObject([{ status: 'sent', sent_at: NOON, attempts: 1, body: '', error: null }])
  })

  test('cannot carry a second header, a second recipient or a second message', async () => {
    const smtp = await startSmtp()
    const { services } = await openSite({ smtpUrl: smtp.url, now: () => NOON })
    await put(services, {
      ...LETTER,
      subject: 'Hello\r\nBcc: victim@example.org\r\n\r\nbody',
      body: 'x\r\n.\r\nMAIL FROM:<a@b.c>\r\n',
    })
    for (const to of [
      'a@example.org, b@example.org',
      'a@example.org\r\nRCPT TO:<b@example.org>',
      '"x" <a@example.org>',
      'a@example.org;b@example.org',
    ]) {
      await put(services, { ...LETTER, to })
    }
    while ((await drain(services)) > 0);
    expect(smtp.taken).toHaveLength(1)
    const [head = ''] = smtp.taken[0]?.split('\r\n\r\n') ?? []
    expect(head).not.toMatch(/^Bcc/im)
    expect(head).toContain('Subject: Hello Bcc: victim@example.org body')
    expect(smtp.commands.filter(line => /^(MAIL|RCPT)/.test(line))).toEqual([
      'MAIL FROM:<campaigns@localhost>',
      'RCPT TO:<ada@example.org>',
    ])
  })

  test('waits longer after each refusal, is given up after the eighth, and at once when the recipient is refused for good', async () => {
    let now = NOON
    const smtp = await startSmtp()
    const { services } = await openSite({ smtpUrl: smtp.url, now: () => now })
    await put(services)
    smtp.script = command => (command.startsWith('RCPT') ? '451 not now' : undefined)
    const waits: number[] = []
    for (let n = 0; n < 7; n++) {
      expect(await drain(services)).toBe(1)
      const [row] = await rows(services)
      expect(row?.error).toContain('451')
      waits.push((row?.next_attempt_at ?? 0) - now)
      now = row?.next_attempt_at ?? 0
    }
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000])
    await drain(services)
    expect(await rows(services)).toMatchObject([{ status: 'failed', attempts: 8, body: '' }])
    now += 86_400_000
    expect(await drain(services)).toBe(0)

    await put(services)
    smtp.script = command => (command.startsWith('RCPT') ? '550 no such user' : undefined)
    await drain(services)
    expect((await rows(services))[1]).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: expect.stringContaining('550'),
    })
  })

  test('outlives a connection that is cut at any step', async () => {
    let now = NOON
    const smtp = await startSmtp()
    const { services } = await openSite({ smtpUrl: smtp.url, now: () => now })
    await put(services)
    for (const moment of ['EHLO', 'MAIL', 'DATA', 'END']) {
      smtp.script = command => (command.startsWith(moment) ? 'cut' : undefined)
      await drain(services)
      const [row] = await rows(services)
      expect(row).toMatchObject({ status: 'queued', error: expect.stringMatching(/\S/) })
      now = row?.next_attempt_at ?? 0
    }
    expect(smtp.taken).toEqual([])
    smtp.script = () => undefined
    await drain(services)
    expect(smtp.taken).toHaveLength(1)
    expect((await rows(services))[0]).toMatchObject({ status: 'sent', attempts: 5 })
  })

  test('does not wait for ever for a server that says nothing', async () => {
    const smtp = await startSmtp()
    const { services } = await openSite()
    const { settings, log, dataDir } = services
    const mailer = createMailer({
      smtpUrl: smtp.url,
      siteUrl: 'http://localhost',
      dataDir,
      settings,
      log,
      patience: 200,
    })
    smtp.script = command => (command.startsWith('MAIL') ? 'silent' : undefined)
    await expect(mailer.deliver('id', LETTER)).rejects.toThrow(/timeout/i)
    smtp.script = () => undefined
    await mailer.deliver('id', LETTER)
    expect(smtp.taken).toHaveLength(1)
  })

  test('is written to files only their owner reads where there is no server, which is said once', async () => {
    const lines: string[] = []
    const destination = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) })
    const { services } = await openSite({ log: createLog('warn', destination) })
    await put(services)
    await put(services, { ...LETTER, to: 'bob@example.org' })
    while ((await drain(services)) > 0);
    const directory = join(services.dataDir, 'outbox')
    const names = (await readdir(directory)).sort()
    expect(names).toEqual((await rows(services)).map(({ id }) => `${id}.eml`))
    expect(await readFile(join(directory, names[0] ?? ''), 'utf8')).toMatch(/^To: ada@example\.org\r\n/m)
    expect((await stat(join(directory, names[0] ?? ''))).mode & 0o077).toBe(0)
    expect(lines.filter(line => line.includes('SMTP_URL'))).toHaveLength(1)
  })

  test('can be tried out, and what the server says is told', async () => {
    const smtp = await startSmtp()
    const { app, services } = await openSite({ smtpUrl: smtp.url })
    const admin = await comeIn(app, services, 'admin')
    const url = '/api/v1/settings/mail/test'
    expect((await admin.post(url, {})).json()).toEqual({ to: admin.email, via: 'smtp' })
    expect((await admin.post(url, { to: 'x@example.org, y@example.org' })).statusCode).toBe(400)
    smtp.script = command => (command.startsWith('MAIL') ? '530 log in first' : undefined)
    const refused = await admin.post(url, { to: 'x@example.org' })
    expect([refused.statusCode, refused.json().detail]).toEqual([502, expect.stringContaining('530 log in first')])
    expect(smtp.taken).toHaveLength(1)
  })
})

test.each(ENGINES)(
  'on %s two processes that send at once send each mail once, and a claim that nobody ended is taken up',
  async engine => {
    let now = NOON
    const smtp = await startSmtp()
    const { services, sibling } = await openSite({ engine, smtpUrl: smtp.url, now: () => now })
    const other = (await sibling()).services
    for (let n = 0; n < 12; n++) await put(services, { ...LETTER, subject: `number ${n}` })
    const handled = await Promise.all([services, other, services, other].map(drain))
    expect(handled.reduce((sum, count) => sum + count, 0)).toBe(12)
    expect(smtp.taken).toHaveLength(12)
    // What a process leaves that dies between its claim and its note.
    await put(services)
    await services.database.writer
      .updateTable('emails')
      .set({ attempts: 1, next_attempt_at: now + 180_000 })
      .where('status', '=', 'queued')
      .execute()
    expect(await drain(other)).toBe(0)
    now += 180_000
    expect(await drain(other)).toBe(1)
    expect(smtp.taken).toHaveLength(13)
  },
)
