import { describe, expect, it } from 'vitest'
import { readEnvelope } from '../../server/whatsapp/envelope.ts'
import { encodeEnvelope, envelopeOf, type Notice } from '../../simulator/envelope.ts'
import { reply, status } from './webhook-world.ts'

const BUSINESS = { phoneNumberId: '100', wabaId: '200', displayPhone: '33612345678' }
const AT = Date.UTC(2026, 5, 15, 12)
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const inEnvelope = (value: object, field = 'messages'): Buffer =>
  bytesOf({ object: 'whatsapp_business_account', entry: [{ id: '200', changes: [{ field, value }] }] })

const notices: readonly Notice[] = [
  status('sent', 'wamid.1', 1, AT),
  reply(1, AT, { wamid: 'wamid.in' }),
  status('failed', 'wamid.2', 2, AT, { code: 131026 }),
  { kind: 'template', id: '1', name: 'hello', language: 'fr', event: 'PAUSED', at: AT },
  status('read', 'wamid.1', 1, AT),
]

describe('an envelope', () => {
  it.each(['items', 'changes', 'entries'] as const)(
    'gives every event of every change of every entry (%s)',
    grouping => {
      const events = readEnvelope(encodeEnvelope(envelopeOf(notices, BUSINESS, grouping)))
      expect(events.map(event => [event.kind, event.phoneNumberId, event.wabaId])).toEqual([
        ['status', '100', '200'],
        ['message', '100', '200'],
        ['status', '100', '200'],
        ['template', undefined, '200'],
        ['status', '100', '200'],
      ])
      const keys = events.map(event => event.key)
      expect(keys.slice(0, 3)).toEqual([
        'status:wamid.1:sent',
        'message:wamid.in',
        `status:wamid.2:failed:${AT / 1000}`,
      ])
      expect(new Set(keys).size).toBe(keys.length)
    },
  )

  it('gives each message the profile of who wrote it, by either identifier', () => {
    const contacts = [
      { wa_id: '33600000001', user_id: 'FR.1', profile: { name: 'Ada' } },
      { user_id: 'FR.2', profile: { name: 'Grace', username: 'grace' } },
    ]
    const messages = [
      { id: 'a', from_user_id: 'FR.2', type: 'text' },
      { id: 'b', from: '33600000001', type: 'text' },
      { id: 'c', from: '33600000009', type: 'text' },
    ]
    const events = readEnvelope(inEnvelope({ metadata: { phone_number_id: '100' }, contacts, messages }))
    const names = events.map(event => (JSON.parse(event.payload) as { contact: { name: string } | null }).contact?.name)
    expect(names).toEqual(['Grace', 'Ada', undefined])
  })

  it('keeps what it does not know, once for each wording', () => {
    const odd = [
      bytesOf(null),
      bytesOf([]),
      bytesOf({ entry: 'none' }),
      bytesOf({ entry: [{ changes: [{ field: 'account_update', value: { event: 'X' } }] }] }),
      inEnvelope({ metadata: { phone_number_id: '100' } }),
      inEnvelope({ statuses: [{ id: 'w', status: 'levitated' }, { status: 'sent' }, 7] }),
      inEnvelope({ messages: [{ id: 'w'.repeat(129) }, { id: 'nul\0' }, { id: '' }] }),
      inEnvelope({ errors: [{ code: 1 }] }),
      Buffer.from('{"entry":'),
      Buffer.from([0xff, 0x00, 0xfe]),
      Buffer.alloc(0),
      // Deeper than can be written again.
      Buffer.from(`{"entry":[{"changes":[{"value":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}]}`),
    ]
    for (const bytes of odd) {
      const events = readEnvelope(bytes)
      expect(events.length).toBeGreaterThan(0)
      for (const { kind, key, payload } of events) {
        expect(kind).toBe('other')
        expect(key).toMatch(/^other:[0-9a-f]{64}$/)
        JSON.parse(payload)
      }
      expect(readEnvelope(bytes).map(event => event.key)).toEqual(events.map(event => event.key))
    }
  })

  it('does not grow by repeating a profile of a megabyte with each of its messages', () => {
    const contacts = [{ wa_id: '33600000001', profile: { name: 'n'.repeat(1_000_000) }, junk: 'j'.repeat(1_000_000) }]
    const messages = Array.from({ length: 500 }, (_, index) => ({ id: `w${index}`, from: '33600000001' }))
    const events = readEnvelope(inEnvelope({ contacts, messages }))
    expect(events).toHaveLength(500)
    expect(events.reduce((sum, event) => sum + event.payload.length, 0)).toBeLessThan(500_000)
  })
})
