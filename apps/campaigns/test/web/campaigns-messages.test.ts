import { expect, test } from 'vitest'
import { askedOf, type Message, momentsOf, shownOf } from '../../web/src/data/messages.ts'
import { errorKeyOf, skipKeyOf } from '../../web/src/screens/messages/errors.ts'

const MESSAGE: Message = {
  id: 'm1',
  direction: 'out',
  campaign_id: null,
  contact_id: null,
  step: null,
  account_id: null,
  type: 'text',
  status: 'read',
  body: 'Hello',
  error_code: null,
  error_class: null,
  error_detail: null,
  attempts: 1,
  accepted_at: 20,
  sent_at: 30,
  delivered_at: 40,
  read_at: 40,
  failed_at: null,
  interacted_at: null,
  created_at: 10,
}

test('messages that came in are asked for by the state that only they have', () => {
  expect(askedOf({ direction: 'in', status: 'failed' })).toEqual({ status: 'received' })
  expect(askedOf({ direction: 'out', status: 'failed', campaign: 'c' })).toEqual({ status: 'failed', campaign: 'c' })
  expect(askedOf({})).toEqual({})
})

test('where only sent ones are wanted, those that came in are left out', () => {
  const answer: Message = { ...MESSAGE, id: 'm2', direction: 'in' }
  expect(shownOf([MESSAGE, answer], 'out')).toEqual([MESSAGE])
  expect(shownOf([MESSAGE, answer], undefined)).toHaveLength(2)
})

test('the life of a message is told in the order of time', () => {
  const keys = (message: Message) => momentsOf(message).map(({ key }) => key)
  expect(keys(MESSAGE)).toEqual(['created', 'accepted', 'sent', 'delivered', 'read'])
  // Sent again after a failure: what failed first is told first.
  expect(keys({ ...MESSAGE, failed_at: 15, interacted_at: 50 })).toEqual([
    ...['created', 'failed', 'accepted', 'sent', 'delivered', 'read', 'interacted'],
  ])
})

test('an error is told by its code, else by its class, else as one that is not known', () => {
  expect(errorKeyOf('policy', 131049)).toBe('131049')
  expect(errorKeyOf('token', 190)).toBe('token')
  expect(errorKeyOf('toString', 7)).toBe('other')
  expect(errorKeyOf(null, null)).toBe('other')
  expect(skipKeyOf('no_opt_in')).toBe('no_opt_in')
  expect(skipKeyOf(null)).toBe('other')
})
