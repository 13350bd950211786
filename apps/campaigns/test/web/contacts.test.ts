import { describe, expect, test } from 'vitest'
import { categoryChange, nameProblem } from '../../web/src/data/categories.ts'
import {
  batchesOf,
  bulkChange,
  changedContact,
  changeOf,
  conflictsOf,
  contactListing,
  contactsQuery,
  EMPTY_FORM,
  filterOf,
  formOf,
  formProblems,
  listQueryOf,
  mergedForm,
  newBodyOf,
  pollEvery,
  rangeOf,
} from '../../web/src/data/contacts.ts'
import type { Client } from '../../web/src/data/client.ts'
import type { Contact } from '../../web/src/data/things.ts'
import { createPendingChanges, steadyClient } from '../../web/src/data/pending.ts'
import { headProblems, meaningOf, readCsvStart } from '../../web/src/screens/contacts/csv-start.ts'

const NOW = 1_800_000_000_000

const contact = (given: Partial<Contact> = {}): Contact => ({
  id: '1',
  name: 'Élodie Martin',
  phone: '+33612345678',
  email: 'elodie@example.org',
  wa_id: null,
  bsuid: null,
  username: null,
  attributes: { city: 'Lyon' },
  categories: [{ id: 'a', name: 'A' }],
  opt_in_at: null,
  opt_out_at: null,
  last_inbound_at: null,
  window_expires_at: null,
  created_at: 1,
  updated_at: 1,
  ...given,
})

describe('a list of contacts', () => {
  test('asks the server in its own words, and never for an order together with a search', () => {
    expect(filterOf({ q: ' mia ', consent: 'in', open: true })).toEqual({
      q: 'mia',
      opted_out: 'false',
      has_window: 'true',
    })
    expect(listQueryOf({ q: 'mia', sort: 'name' })).toEqual({ q: 'mia' })
    expect(listQueryOf({ q: '  ', sort: 'name' })).toEqual({ sort: 'name' })
  })

  test('shows a contact that was just made only where its filter has it', () => {
    const place = { now: NOW, isStart: true, isEnd: true }
    const has = (filter: Parameters<typeof contactListing>[0], one: Contact): boolean =>
      contactListing(filter, place).belongs?.(one) === true
    expect(has({ q: 'elod' }, contact())).toBe(true)
    expect(has({ q: '06 12' }, contact())).toBe(true)
    expect(has({ q: 'ELODIE@' }, contact())).toBe(true)
    expect(has({ q: 'martin' }, contact())).toBe(false)
    expect(has({ category: 'b' }, contact())).toBe(false)
    expect(has({ consent: 'out' }, contact({ opt_out_at: 5 }))).toBe(true)
    expect(has({ open: true }, contact({ window_expires_at: NOW }))).toBe(false)
  })

  test('puts it where its order has it, and nowhere when that part is not loaded', () => {
    const items = ['Ada', 'Zoé'].map(name => contact({ id: name, name }))
    const at = (filter: Parameters<typeof contactListing>[0], isStart: boolean, isEnd: boolean, name: string) =>
      contactListing(filter, { now: NOW, isStart, isEnd }).place?.(items, contact({ name }))
    expect(at({}, true, false, 'Mia')).toBe(0)
    expect(at({}, false, false, 'Mia')).toBeUndefined()
    expect(at({ sort: 'name' }, false, false, 'Élodie')).toBe(1)
    expect(at({ sort: 'name' }, true, true, 'Zz')).toBe(2)
    expect(at({ sort: 'name' }, true, false, 'Zz')).toBeUndefined()
  })

  test('knows the way back over pages that were let go', () => {
    const { getNextPageParam, getPreviousPageParam } = contactsQuery({} as Client, {})
    const answer = (next_cursor: string | null) => ({ value: { items: [], next_cursor } }) as never
    const first = { index: 0 }
    const second = getNextPageParam(answer('x'), [], first, [])
    expect(second).toEqual({ index: 1, cursor: 'x', before: first })
    expect(getPreviousPageParam?.(answer(null), [], second ?? first, [])).toBe(first)
    expect(getNextPageParam(answer(null), [], first, [])).toBeUndefined()
  })
})

describe('an edited contact', () => {
  test('sends only what was changed, so that nobody overwrites what they did not touch', () => {
    const seen = contact()
    const form = formOf(seen)
    expect(changeOf(seen, form)).toEqual({})
    expect(changeOf(seen, { ...form, name: ' Élodie M. ' })).toEqual({ name: 'Élodie M.' })
    expect(changeOf(seen, { ...form, email: ' ', categoryIds: [] })).toEqual({ email: null, category_ids: [] })
    expect(changeOf(seen, { ...form, attributes: [...form.attributes, { name: 'city2', text: 'Paris' }] })).toEqual({
      attributes: { city: 'Lyon', city2: 'Paris' },
    })
  })

  test('is in conflict only over fields that both changed, to different things', () => {
    const seen = contact()
    const theirs = contact({ name: 'E. Martin', email: 'new@example.org', updated_at: 2 })
    expect(conflictsOf(seen, { phone: '+33600000000' }, theirs)).toEqual([])
    expect(conflictsOf(seen, { name: 'E. Martin' }, theirs)).toEqual([])
    expect(conflictsOf(seen, { name: 'Mine', email: 'mine@example.org', phone: null }, theirs)).toEqual([
      'name',
      'email',
    ])
  })

  test('is opened again over the other version, with what the person did not touch as it is now', () => {
    const seen = contact()
    const theirs = contact({ name: 'Theirs', email: 'new@example.org' })
    const form = mergedForm(seen, { ...formOf(seen), name: 'Mine', categoryIds: ['b'] }, theirs)
    expect(form).toMatchObject({ name: 'Mine', email: 'new@example.org', categoryIds: ['b'] })
    expect(changeOf(theirs, form)).toEqual({ name: 'Mine', category_ids: ['b'] })
  })

  test('is shown with its new categories by their names', () => {
    const shown = changedContact(contact(), { category_ids: ['b'], name: 'New' }, id => `name of ${id}`)
    expect(shown).toMatchObject({ name: 'New', categories: [{ id: 'b', name: 'name of b' }], phone: '+33612345678' })
  })
})

describe('a form', () => {
  test('says at the field what is certainly wrong', () => {
    expect(formProblems(EMPTY_FORM, true)).toEqual({ name: 'noName', phone: 'noPhone' })
    expect(formProblems({ ...EMPTY_FORM, name: 'A' }, false)).toEqual({})
    const attributes = [
      { name: 'a', text: '1' },
      { name: ' a', text: '2' },
    ]
    const bad = { ...EMPTY_FORM, name: 'A', phone: '12', email: 'a@b', attributes }
    expect(formProblems(bad, true)).toEqual({ phone: 'badPhone', email: 'badEmail', attributes: 'badAttribute' })
  })

  test('becomes what the server takes, without what was left empty', () => {
    const attributes = [
      { name: ' city ', text: 'Lyon' },
      { name: '', text: '' },
    ]
    expect(newBodyOf({ name: ' A ', phone: ' +336 ', email: ' ', categoryIds: ['x'], attributes })).toEqual({
      name: 'A',
      phone: '+336',
      category_ids: ['x'],
      attributes: { city: 'Lyon' },
    })
  })
})

describe('bulk changes', () => {
  test('do to each contact what the server does', () => {
    const b = { id: 'b', name: 'B' }
    expect(bulkChange('add_categories', [b], NOW)(contact())?.categories.map(one => one.id)).toEqual(['a', 'b'])
    expect(bulkChange('remove_categories', [{ id: 'a', name: 'A' }], NOW)(contact())?.categories).toEqual([])
    expect(bulkChange('opt_out', [], NOW)(contact({ opt_out_at: 5 }))?.opt_out_at).toBe(5)
    expect(bulkChange('opt_in', [], NOW)(contact({ opt_out_at: 5 }))).toMatchObject({
      opt_in_at: NOW,
      opt_out_at: null,
    })
    expect(bulkChange('delete', [], NOW)(contact())).toBeUndefined()
  })

  test('are sent in parts, and a range reaches both ways', () => {
    expect(batchesOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]])
    const items = ['a', 'b', 'c', 'd'].map(id => ({ id }))
    expect(rangeOf(items, 'c', 'a').map(one => one.id)).toEqual(['a', 'b', 'c'])
    expect(rangeOf(items, 'gone', 'b').map(one => one.id)).toEqual(['b'])
  })
})

test('a job is asked for each second until it is over', () => {
  expect((['queued', 'running', 'done', 'failed', 'cancelled'] as const).map(pollEvery)).toEqual([
    1000,
    1000,
    false,
    false,
    false,
  ])
  expect(pollEvery(undefined)).toBe(false)
})

describe('the beginning of a CSV', () => {
  test('is read with its quotes, line ends and either delimiter', () => {
    const text = '\ufeffname;phone;attr:city\r\n"Martin; ""Élodie""";+336;"Lyon\r\nVaise"\r\n\r\nAda;+337;\r\n'
    expect(readCsvStart(text)).toEqual({
      columns: ['name', 'phone', 'attr:city'],
      rows: [
        ['Martin; "Élodie"', '+336', 'Lyon\r\nVaise'],
        ['Ada', '+337', ''],
      ],
    })
    expect(readCsvStart('a,b\n1,2\n3,4\n5,6\n7,8').rows).toHaveLength(3)
    expect(readCsvStart('')).toEqual({ columns: [], rows: [] })
  })

  test('says which columns are missing and which mean nothing', () => {
    expect(['Name', 'attr:city', 'created_at', 'town'].map(meaningOf)).toEqual([
      'c_name',
      'c_attr',
      'ignored',
      'unknown',
    ])
    expect(headProblems(['Name', 'town', 'id'])).toEqual({ missing: ['phone'], unknown: ['town'] })
  })
})

describe('a category', () => {
  test('has a name of its own, without the sign that stands between names', () => {
    const others = [{ name: 'VIP' }]
    expect(['', 'a;b', ' VIP ', 'x'.repeat(81), 'Lyon'].map(name => nameProblem(name, others))).toEqual([
      'noName',
      'semicolon',
      'taken',
      'longName',
      undefined,
    ])
  })

  test('sends only what was changed', () => {
    const seen = {
      id: '1',
      name: 'A',
      color: '#0f766e',
      description: '',
      contact_count: 1,
      created_at: 1,
      updated_at: 1,
    }
    expect(categoryChange(seen, { name: 'A ', color: '#2563eb', description: '' })).toEqual({ color: '#2563eb' })
  })
})

describe('a client of the pages', () => {
  const answer = (offline = false) => ({
    value: { items: [] },
    stamp: undefined,
    cache: undefined,
    age: 0,
    readAt: 0,
    offline,
  })
  const clientOf = (ask: () => Promise<unknown>): Client =>
    ({ ask, upload: ask, setToken: () => undefined }) as unknown as Client

  test('reads again what was under way while a change was, and waits for its end', async () => {
    const pending = createPendingChanges<Contact, { readonly id: string }>()
    let asked = 0
    const answers: (() => void)[] = []
    const client = steadyClient(
      clientOf(async () => {
        asked++
        await new Promise<void>(resolve => void answers.push(resolve))
        return answer()
      }),
      pending,
    )
    const reading = client.ask('GET /categories', {})
    let end = (): void => undefined
    const sent = new Promise<void>(resolve => {
      end = resolve
    })
    const changing = pending.run({}, { send: async () => ({ value: await sent }), settled: async () => 0 })
    await expect.poll(() => asked).toBe(1)
    answers[0]?.()
    // A part of the change itself does not wait for it.
    void client.ask('GET /contacts/{id}', { path: { id: '1' } }, { isPart: true })
    await expect.poll(() => asked).toBe(2)
    end()
    await changing
    await expect.poll(() => asked).toBe(3)
    answers[2]?.()
    const [change] = pending.all
    expect((await reading).asked).toBeGreaterThan(change?.answered ?? Number.POSITIVE_INFINITY)
  })

  test('takes a copy of an earlier visit for older than every change', async () => {
    const pending = createPendingChanges<Contact, { readonly id: string }>()
    const client = steadyClient(
      clientOf(async () => answer(true)),
      pending,
    )
    expect((await client.ask('GET /categories', {})).asked).toBe(0)
  })
})
