import { describe, expect, test } from 'vitest'
import { sign } from '../../simulator/envelope.ts'
import { startApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { drainInbox, makeAccount } from '../whatsapp/webhook-world.ts'

/** What a stranger may write, and call themselves. */
const TEXTS = [
  'x\0y',
  '\0',
  '\ud800',
  `${'a'.repeat(9_999)}\u{1f600}`,
  '\u{1f600}'.repeat(400),
  `'); drop table messages; --\\`,
  '<script>alert(1)</script>',
  '=1+1',
  '\u202e\u200b\u2028',
  '{{name}}',
  '__proto__',
  '   ',
]

/** A word of consent is looked for in each: signs in a row are the worst there is for that. */
const SLOW = Array.from({ length: 80 }, () => `a${'!'.repeat(9_000)}a`)

describe.each(ENGINES)('on %s', engine => {
  test('whatever a stranger writes is kept, applied in bounded time, and stops nothing behind it', async () => {
    const app = await startApp({ engine })
    const account = await makeAccount(app.services)
    const bodies = [...TEXTS, ...SLOW]
    const messages = bodies.map((body, index) => ({
      from: `336000000${10 + index}`,
      id: `wamid.hostile.${index}`,
      timestamp: '1781524800',
      type: 'text',
      text: { body },
    }))
    const contacts = messages.map(({ from }, index) => ({
      wa_id: from,
      profile: { name: TEXTS[index % TEXTS.length], username: TEXTS[index % TEXTS.length] },
    }))
    const metadata = { display_phone_number: account.displayPhone, phone_number_id: account.phoneNumberId }
    const value = { messaging_product: 'whatsapp', metadata, contacts, messages }
    const entry = [{ id: account.wabaId, changes: [{ field: 'messages', value }] }]
    const payload = JSON.stringify({ object: 'whatsapp_business_account', entry })
    const headers = {
      'content-type': 'application/json',
      'x-hub-signature-256': sign(Buffer.from(payload), account.appSecret),
    }
    const sent = await app.app.inject({ method: 'POST', url: '/webhooks/whatsapp', headers, payload })
    expect(sent.statusCode).toBe(200)
    const began = process.cpuUsage()
    await drainInbox(app.services)
    // Of this process alone, however busy the machine is. Squared, it would be many seconds.
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(3000)
    const rows = await app.services.database.writer
      .selectFrom('webhook_inbox')
      .select(['error', 'processed_at'])
      .execute()
    expect(rows).toHaveLength(bodies.length)
    expect(rows.filter(row => row.error !== null || row.processed_at === null)).toEqual([])
    const kept = await app.services.database.writer
      .selectFrom('messages')
      .select('body')
      .where('direction', '=', 'in')
      .execute()
    expect(kept).toHaveLength(bodies.length)
    const { items } = (await app.get('/api/v1/contacts?limit=200')).json<{ items: { name: string }[] }>()
    expect(items).toHaveLength(bodies.length)
    expect(items.filter(({ name }) => name.trim() === '' || name.includes('\0'))).toEqual([])
  })
})
