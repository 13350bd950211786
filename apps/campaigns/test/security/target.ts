import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import type { Composition } from '../../server/compose.ts'
import { openSite, type SiteOptions } from '../access/site.ts'
import { comeIn, type Person, type Visitor } from '../access/visitor.ts'
import { type Operation, operationsOf } from './described-api.ts'

/** So many tries of one person are a brute force to the limits. */
const OFTEN = { limit: 1_000_000, window: 60_000 }
const RATES = {
  api: OFTEN,
  login: OFTEN,
  account: OFTEN,
  address: OFTEN,
  forgot: OFTEN,
  'forgot address': OFTEN,
  reset: OFTEN,
  password: OFTEN,
  mail: OFTEN,
}

const LEFT_OUT = /auth\/logout|auth\/login|\/events|\/internal\/tick|webhooks|\/metrics/

/** One of each, so that what is asked for gets as far as the database. */
async function fill(visitor: Visitor): Promise<ReadonlyMap<string, string>> {
  const made = async (url: string, body: object): Promise<string> => {
    const answer = await visitor.post(`/api/v1/${url}`, body)
    expect([url, answer.statusCode]).toEqual([url, 201])
    return answer.json<{ id: string }>().id
  }
  const secrets = { token: 'token-of-it', app_secret: 'secret-of-the-app-1', verify_token: 'verify-token' }
  const number = { phone_number_id: '1', waba_id: '2', display_phone: '+1' }
  const user = { email: 'other@example.org', name: 'Other', password: 'correct staple, no horse', role: 'agent' }
  return new Map([
    ['contacts', await made('contacts', { name: 'Ada', phone: '+33612340000' })],
    ['categories', await made('categories', { name: 'Press' })],
    ['campaigns', await made('campaigns', { name: 'Spring' })],
    ['content', await made('content', { title: 'Spring' })],
    ['users', await made('users', user)],
    ['whatsapp/accounts', await made('whatsapp/accounts', { name: 'Meta', ...number, ...secrets })],
    ['settings', 'company_name'],
  ])
}

export interface Target {
  readonly app: FastifyInstance
  readonly visitor: Visitor & Person
  readonly services: Composition
  /** All but those that would end the session, never end, or take no JSON. */
  readonly operations: readonly Operation[]
  readonly ids: ReadonlyMap<string, string>
}

/** A site that an administrator is logged in to, with one row of each kind. */
export async function openTarget(options: SiteOptions = {}): Promise<Target> {
  const { app, services } = await openSite({ rates: RATES, ...options })
  const visitor = await comeIn(app, services, 'admin')
  const all = await operationsOf(app)
  const ids = await fill(visitor)
  return { app, visitor, services, ids, operations: all.filter(({ line }) => !LEFT_OUT.test(line)) }
}
