import { expect, test } from 'vitest'
import { localInput, momentOf, possibleActions } from '../../web/src/screens/campaigns/actions.ts'
import {
  bodyOf,
  type Draft,
  draftOf,
  EMPTY_DRAFT,
  EMPTY_SLOT,
  doneSteps,
  faultsOf,
  isChanged,
  nextButtonId,
  stepOfField,
} from '../../web/src/screens/campaigns/draft.ts'
import { readinessProblem } from '../../web/src/screens/campaigns/readiness.ts'
import { fillText, partsOf, partsOfRendered, partsWith, piecesOf } from '../../web/src/screens/campaigns/template.ts'

const OFFER = {
  id: 't1',
  account_id: 'a1',
  name: 'offer',
  language: 'fr',
  category: 'MARKETING',
  status: 'APPROVED',
  quality: null,
  components: [
    { type: 'HEADER', format: 'TEXT', text: 'For {{1}}' },
    { type: 'BODY', text: 'Hello {{1}},\nuntil {{2}}.' },
    { type: 'FOOTER', text: 'Palier' },
    {
      type: 'BUTTONS',
      buttons: [
        { type: 'QUICK_REPLY', text: 'Yes' },
        { type: 'URL', text: 'Site', url: 'https://example.org' },
      ],
    },
  ],
  placeholders: ['header.1', '1', '2'],
  synced_at: 0,
}
const TEMPLATES = new Map([[OFFER.id, OFFER]])

const FULL: Draft = {
  ...EMPTY_DRAFT,
  name: ' Spring ',
  accountId: 'a1',
  categoryIds: ['c1'],
  template1: 't1',
  slots1: {
    'header.1': { ...EMPTY_SLOT, by: 'field', field: 'first_name', fallback: 'you' },
    1: { ...EMPTY_SLOT, by: 'field', field: 'attributes.city' },
    2: { ...EMPTY_SLOT, text: '30 June' },
    9: { ...EMPTY_SLOT, text: 'of another template' },
  },
}

test('what is sent of a draft names the placeholders of its template alone', () => {
  const body = bodyOf(FULL, TEMPLATES)
  expect(body.name).toBe('Spring')
  expect(body.message1_params).toEqual({
    'header.1': { field: 'first_name', fallback: 'you' },
    1: { field: 'attributes.city' },
    2: '30 June',
  })
  expect(body).toMatchObject({
    message2_kind: 'none',
    message2_body: null,
    rate_per_minute: null,
    interaction_timeout_h: 24,
  })
})

test('while the templates are not known, nothing that was set for one is lost', () => {
  const { message1_params } = bodyOf(FULL, new Map())
  expect(message1_params).toMatchObject({ 'header.1': { field: 'first_name', fallback: 'you' }, 2: '30 June' })
  expect(bodyOf({ ...FULL, template1: '' }, TEMPLATES).message1_params).toBeNull()
})

test('what another kind of Message 2 had is not sent', () => {
  const typed = {
    ...FULL,
    kind: 'interactive' as const,
    body: 'Thanks',
    buttons: [
      { id: 'b', title: ' Where ' },
      { id: 'c', title: ' ' },
    ],
  }
  expect(bodyOf(typed, TEMPLATES)).toMatchObject({
    message2_body: 'Thanks',
    message2_buttons: [{ id: 'b', title: 'Where' }],
  })
  expect(bodyOf({ ...typed, kind: 'text' }, TEMPLATES).message2_buttons).toBeNull()
  expect(bodyOf({ ...typed, kind: 'template' }, TEMPLATES).message2_body).toBeNull()
})

test('a campaign that was read and not touched has nothing to lose', () => {
  const campaign = {
    ...bodyOf(FULL, TEMPLATES),
    categories: [{ id: 'c1', name: 'Paris' }],
    message2_body: null,
    interaction_timeout_h: 48,
  } as unknown as Parameters<typeof draftOf>[0]
  const draft = draftOf(campaign)
  expect(draft).toMatchObject({ name: 'Spring', categoryIds: ['c1'], timeoutHours: '48', rate: '' })
  expect(isChanged(draft, draftOf(campaign), TEMPLATES)).toBe(false)
  expect(isChanged({ ...draft, acceptLate: true }, draft, TEMPLATES)).toBe(true)
  // A space at the end is not worth a question.
  expect(isChanged({ ...draft, name: 'Spring ' }, draft, TEMPLATES)).toBe(false)
})

test('a step is done when all that it asks for is there', () => {
  expect([...doneSteps(FULL, TEMPLATES)]).toEqual(['audience', 'message1', 'message2', 'timing'])
  expect([...doneSteps(EMPTY_DRAFT, TEMPLATES)]).toEqual(['message2'])
  const open = { ...FULL, slots1: { ...FULL.slots1, 2: EMPTY_SLOT } }
  expect(doneSteps(open, TEMPLATES).has('message1')).toBe(false)
  expect(doneSteps({ ...FULL, kind: 'interactive', body: 'Thanks' }, TEMPLATES).has('message2')).toBe(false)
  expect(doneSteps({ ...FULL, kind: 'text', body: 'x'.repeat(4097) }, TEMPLATES).has('message2')).toBe(false)
})

test('the form refuses what the server would refuse', () => {
  expect(faultsOf({ ...FULL, name: '  ' })).toEqual(['name'])
  expect(faultsOf({ ...FULL, timeoutHours: '0', rate: '1.5' })).toEqual(['timeout', 'rate'])
  expect(faultsOf({ ...FULL, timeoutHours: '168', rate: '60000' })).toEqual([])
})

test('what the server misses leads to the step where it is mended', () => {
  const missing = (field: string, expected = '', received = '') => readinessProblem({ field, expected, received })
  expect(missing('category_ids')).toMatchObject({ step: 'audience', key: 'categories' })
  expect(missing('message1_params.header.1')).toEqual({
    step: 'message1',
    key: 'placeholder1',
    values: { name: 'header.1' },
  })
  expect(missing('message2_template_id', 'an approved template', '"old: PAUSED"')).toEqual({
    step: 'message2',
    key: 'unapproved2',
    values: { received: 'old: PAUSED' },
  })
  expect(missing('fallback_template_id', 'a template of the account')).toMatchObject({
    step: 'message2',
    key: 'templateFallback',
  })
  expect(missing('account_id')).toMatchObject({ step: 'timing', key: 'account' })
  expect(missing('something_new', 'a thing')).toMatchObject({
    key: 'other',
    values: { field: 'something_new', expected: 'a thing' },
  })
  expect(stepOfField('message2_buttons')).toBe('message2')
})

test('a rendered template is taken apart into header, body and footer', () => {
  const parts = partsOf(OFFER)
  expect(parts.buttons).toEqual([
    { text: 'Yes', isReply: true },
    { text: 'Site', isReply: false },
  ])
  const read = partsOfRendered(parts, 'For Ana\nHello Paris,\nuntil 30 June.\nPalier')
  expect(read).toMatchObject({ header: 'For Ana', body: 'Hello Paris,\nuntil 30 June.', footer: 'Palier' })
})

test('a text is filled with the fields of the contact, and what names none stays', () => {
  const contact = { name: 'Ana Silva', phone: null, email: null, username: null, attributes: { city: 'Porto' } }
  expect(fillText('{{first_name}} of {{attributes.city}}, {{ phone }}{{unknown}}', contact)).toBe(
    'Ana of Porto, {{unknown}}',
  )
  expect(fillText('{{attributes.toString}}', contact)).toBe('')
  expect(piecesOf('Hi {{1}}!')).toEqual([
    { text: 'Hi ', isOpen: false },
    { text: '{{1}}', isOpen: true },
    { text: '!', isOpen: false },
  ])
})

test('what is known of a template is filled in at once, and the rest stays in sight', () => {
  const contact = { name: 'Ana Silva', phone: null, email: null, username: null, attributes: {} }
  const params = { 'header.1': { field: 'first_name' }, 1: { field: 'attributes.city', fallback: 'you' }, 2: ' ' }
  expect(partsWith(partsOf(OFFER), params, contact)).toMatchObject({
    header: 'For Ana',
    body: 'Hello you,\nuntil {{2}}.',
  })
})

test('a new button has an identifier of its own', () => {
  expect(
    nextButtonId([
      { id: 'button_1', title: '' },
      { id: 'x', title: '' },
    ]),
  ).toBe('button_2')
})

test('sending again is offered only where something failed, which silence is not', () => {
  const quiet = { actions: ['retry-failed', 'delete'], failed_count: 5, no_interaction_count: 5, message2_failed: 0 }
  expect(possibleActions(quiet)).toEqual(['delete'])
  expect(possibleActions({ ...quiet, failed_count: 6 })).toEqual(['retry-failed', 'delete'])
  expect(possibleActions({ ...quiet, message2_failed: 1 })).toEqual(['retry-failed', 'delete'])
})

test('a time to the minute survives the way through the input', () => {
  const at = new Date(2026, 2, 9, 7, 5).getTime()
  expect(localInput(at)).toBe('2026-03-09T07:05')
  expect(momentOf(localInput(at))).toBe(at)
  expect(momentOf('')).toBeUndefined()
})
