import { describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/access/actor.ts'
import { lockCampaign, moveTo } from '../../server/campaigns/lifecycle.ts'
import { type CampaignInput, createCampaign, deleteCampaign, updateCampaign } from '../../server/campaigns/store.ts'
import { changeContacts } from '../../server/contacts/bulk.ts'
import { mergeIdentity } from '../../server/contacts/identity.ts'
import { writeBatch } from '../../server/contacts/import-batch.ts'
import { createContact, deleteContact, updateContact } from '../../server/contacts/store.ts'
import type { CampaignTable } from '../../server/database/schema.ts'
import { createWorkLoop } from '../../server/jobs/work-loop.ts'
import { createElasticClient, ElasticFault } from '../../server/search/elastic-client.ts'
import { elasticSearch } from '../../server/search/elasticsearch.ts'
import { indexHandler, reindexHandler } from '../../server/search/handlers.ts'
import type { Services } from '../../server/services.ts'
import { type Work, write } from '../../server/work.ts'
import { NOON, startServices } from '../support/app.ts'
import { fakeElasticsearch, type FakeElasticsearch } from './support/fake-elasticsearch.ts'

const AUTHORIZATION = `Basic ${Buffer.from('elastic:s3cret').toString('base64')}`
const JSON_TYPE = 'application/json'

interface Rig {
  readonly services: Services
  readonly lines: string[]
  advance(ms: number): void
  /** Runs the jobs of the index until none is due. */
  work(): Promise<void>
}

/** The services with a search in the fake server, and two contacts. */
async function rig(fake: FakeElasticsearch, searchDeadline = 20_000): Promise<Rig> {
  let time = NOON
  const now = (): number => time
  const opened = await startServices({ now })
  const lines: string[] = []
  const note = (line: unknown): void => void lines.push(String(line))
  const log = { info: note, warn: note }
  const client = createElasticClient({ url: fake.url, index: 'campaigns_test', searchDeadline, writeDeadline: 20_000 })
  const { database, jobs } = opened
  const services: Services = { ...opened, search: elasticSearch({ client, database, jobs, log, now }) }
  for (const [id, name] of [
    ['c1', 'Zoë Brown'],
    ['c2', 'Zoé Black'],
  ] as const) {
    const search_text = name
      .normalize('NFKD')
      .replace(/\p{Mark}/gu, '')
      .toLowerCase()
    const row = { id, name, name_key: search_text, search_text, created_at: 5, updated_at: 5 }
    await database.writer.insertInto('contacts').values(row).execute()
  }
  const work = async (): Promise<void> => {
    const worker = createWorkLoop(services, { handlers: [indexHandler, reindexHandler], drains: [], ticks: [] })
    await worker.runUntilIdle()
    await worker.close()
  }
  return { services, lines, advance: ms => void (time += ms), work }
}

const find = ({ services }: Rig, query: string) => services.search.find(query, { kinds: ['contact'], limit: 3 })
const ids = async (hits: Promise<readonly { readonly id: string }[]>): Promise<string[]> =>
  (await hits).map(hit => hit.id)

async function jobs({ services }: Rig): Promise<readonly object[]> {
  return await services.database.writer
    .selectFrom('jobs')
    .select(['name', 'status', 'attempts', 'result'])
    .orderBy('id')
    .execute()
}

/** What the index is told because of a change, and not before its commit: by id, without words of what has gone. */
async function toldOf(set: Rig, fake: FakeElasticsearch, change: () => Promise<unknown>) {
  const before = fake.asked.length
  await change()
  expect(fake.asked).toHaveLength(before)
  fake.say('bulk-written', 'bulk-written')
  await set.work()
  type Line = { index?: { _id: string; version: number }; delete?: { _id: string; version: number }; words?: string }
  const lines = fake.asked.slice(before).flatMap(({ body }) => body as readonly Line[])
  const told = lines.flatMap((line, at): [string, { words: string | undefined; version: number }][] => {
    const about = line.index ?? line.delete
    return about === undefined ? [] : [[about._id, { words: lines[at + 1]?.words, version: about.version }]]
  })
  return new Map(told)
}

const PLAIN: CampaignInput = {
  ...{ name: 'Été', account_id: null, category_ids: [], accept_late: false, interaction_timeout_h: 24 },
  ...{ message1_template_id: null, message1_params: null, message2_kind: 'none', message2_body: null },
  ...{ message2_buttons: null, message2_template_id: null, message2_params: null, fallback_template_id: null },
  ...{ fallback_params: null, rate_per_minute: null },
}

describe('search in Elasticsearch', () => {
  test('asks for all words, the last as a prefix, and shows the rows as they are now', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    fake.say('found')
    expect(await find(set, 'ZOË "b')).toEqual([
      { kind: 'contact', id: 'c2', title: 'Zoé Black', detail: null, status: null },
      { kind: 'contact', id: 'c1', title: 'Zoë Brown', detail: null, status: null },
    ])
    expect(fake.asked).toEqual([
      {
        method: 'POST',
        path: '/proxy/campaigns_test/_search',
        type: JSON_TYPE,
        authorization: AUTHORIZATION,
        body: {
          size: 3,
          _source: false,
          track_total_hits: false,
          query: {
            bool: {
              filter: [{ term: { kind: 'contact' } }],
              must: [{ term: { words: { value: 'zoe' } } }, { prefix: { words: { value: 'b' } } }],
            },
          },
        },
      },
    ])
    expect(await find(set, '"*!')).toEqual([])
    expect(fake.asked).toHaveLength(1)
  })

  test('is done by the database while there is no answer, told once and tried again after a while', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    for (const [answer, reason] of [
      ['too-many-requests', 'status 429'],
      ['index-missing', 'no index yet'],
      ['garbage', 'no answer that could be read'],
    ] as const) {
      set.lines.length = 0
      fake.say(answer, 'found')
      const before = fake.asked.length
      expect(await ids(find(set, 'zoe'))).toEqual(['c1', 'c2'])
      expect(await ids(find(set, 'zoe'))).toEqual(['c1', 'c2'])
      expect(fake.asked.length - before).toBe(1)
      expect(set.lines).toHaveLength(1)
      expect(set.lines[0]).toContain(reason)
      expect(set.lines[0]).not.toMatch(/s3cret|127\.0\.0\.1/)
      set.advance(30_000)
      expect(await ids(find(set, 'zoe'))).toEqual(['c2', 'c1'])
      expect(set.lines).toHaveLength(2)
    }
    await fake.close()
    expect(await ids(find(set, 'zoe'))).toEqual(['c1', 'c2'])
    expect(set.lines).toHaveLength(3)
  })

  test('waits for an answer no longer than its deadline', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake, 50)
    fake.say('silence')
    expect(await ids(find(set, 'zoe'))).toEqual(['c1', 'c2'])
    expect(set.lines).toEqual(['Elasticsearch cannot be used, searching in the database: no answer within 50 ms'])
  })
})

describe('the index of Elasticsearch', () => {
  test('learns of a change after its commit, and of nothing that was undone', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    const { services } = set
    const undone = write(services, async work => {
      await services.search.changed(work, 'contact', ['c1'])
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    await write(services, work => services.search.changed(work, 'contact', ['c1', 'gone']))
    expect(fake.asked).toEqual([])
    fake.say('bulk-overtaken')
    await set.work()
    expect(fake.asked).toEqual([
      {
        method: 'POST',
        path: '/proxy/campaigns_test_write/_bulk?require_alias=true',
        type: 'application/x-ndjson',
        authorization: AUTHORIZATION,
        body: [
          { index: { _id: 'contact:c1', version: 5, version_type: 'external_gte' } },
          { kind: 'contact', words: 'zoe brown' },
          { delete: { _id: 'contact:gone', version: NOON, version_type: 'external_gte' } },
        ],
      },
    ])
    expect(await jobs(set)).toEqual([{ name: 'search.index', status: 'done', attempts: 1, result: '{"sent":2}' }])
  })

  test('is told of each change of words of contacts, whoever makes it, by a version that rises', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    const { services } = set
    const { newId, search } = services
    const input = { name: 'Ada', phone: '+33612345678', bsuid: null, email: null, attributes: {}, category_ids: [] }
    const contact = await createContact(services, SYSTEM, input)
    const ada = `contact:${contact.id}`
    const first = await toldOf(set, fake, async () => undefined)
    expect([...first]).toEqual([[ada, { words: 'ada 33612345678', version: NOON }]])
    const told = (change: () => Promise<unknown>) => toldOf(set, fake, change)
    const update = (fields: object) => told(() => updateContact(services, SYSTEM, contact.id, fields))
    expect([...(await update({ name: 'Zoë', email: 'Z@example.org' }))]).toEqual([
      [ada, { words: 'zoe z example org 33612345678', version: NOON + 1 }],
    ])
    expect(await update({ attributes: { city: 'Lyon' } })).toEqual(new Map())
    const line = { email: null, categories: [], attributes: {}, optIn: false }
    const lines = [
      { ...line, name: 'Eve', phone: '+33612345678' },
      { ...line, name: 'Bob', phone: '+33612345679' },
    ]
    const batch = (name: string) =>
      told(() =>
        write(services, work => writeBatch(work, lines, { newId, search, mode: name === 'Bob' ? 'update' : 'skip' })),
      )
    const imported = await batch('Bob')
    expect(imported.size).toBe(2)
    expect(imported.get(ada)).toEqual({ words: 'eve z example org 33612345678', version: NOON + 3 })
    expect(await batch('nobody')).toEqual(new Map())
    const bob = [...imported.keys()].find(id => id !== ada)?.slice(8) ?? ''
    const see = (identity: object) => told(() => write(services, work => mergeIdentity(services, work, identity)))
    expect((await see({ waId: '33612345679', bsuid: 'FR.1' })).size).toBe(0)
    expect([...(await see({ bsuid: 'FR.1', username: 'bobby' })).values()]).toMatchObject([
      { words: 'bob 33612345679 bobby' },
    ])
    const stranger = await see({ bsuid: 'FR.2', name: 'Carol' })
    expect([...stranger.values()]).toEqual([{ words: 'carol', version: NOON }])
    // Carol is Ada, of whom nobody had said so.
    const merged = await see({ bsuid: 'FR.2', waId: '33612345678' })
    expect([...merged.keys()].sort()).toEqual([ada, ...stranger.keys()].sort())
    expect([...stranger.keys()].map(id => merged.get(id)?.words)).toEqual([undefined])
    const ids = ['c1', bob, 'nobody']
    const gone = await told(() => changeContacts(services, SYSTEM, { action: 'delete', ids }))
    expect([...gone].map(([id, { words }]) => [id, words])).toEqual([bob, 'c1'].map(id => [`contact:${id}`, undefined]))
    expect((await told(() => changeContacts(services, SYSTEM, { action: 'opt_out', ids: ['c2'] }))).size).toBe(0)
    expect([...(await told(() => deleteContact(services, SYSTEM, contact.id))).keys()]).toEqual([ada])
  })

  test('is told of each name of a campaign, and of nothing else that happens to it', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    const { services } = set
    let id = ''
    const told = (change: (work: Work) => Promise<unknown>) => toldOf(set, fake, () => write(services, change))
    const made = await told(async work => {
      id = (await createCampaign(services, work, PLAIN)).id
    })
    const campaign = `campaign:${id}`
    expect(made).toEqual(new Map([[campaign, { words: 'ete', version: NOON }]]))
    set.advance(-3000)
    expect(await told(work => updateCampaign(services, work, id, 1, { name: 'Hiver' }))).toEqual(
      new Map([[campaign, { words: 'hiver', version: NOON + 1 }]]),
    )
    expect((await told(work => updateCampaign(services, work, id, 2, { rate_per_minute: 9 }))).size).toBe(0)
    expect((await told(async work => moveTo(work, await lockCampaign(work, id), 'scheduled', 'schedule'))).size).toBe(0)
    await write(services, async work => moveTo(work, await lockCampaign(work, id), 'draft', 'test'))
    expect(await told(work => updateCampaign(services, work, id, 3, { name: 'Hiver 2' }))).toEqual(
      new Map([[campaign, { words: 'hiver 2', version: NOON + 5 }]]),
    )
    expect([...(await told(work => deleteCampaign(services, work, id)))]).toMatchObject([
      [campaign, { words: undefined }],
    ])
  })

  test('is told again later when it refuses, and not at all before there is one', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    const { services } = set
    await write(services, work => services.search.changed(work, 'contact', ['c1']))
    for (const answer of ['bulk-rejected', 'too-many-requests', 'garbage', 'bulk-written'] as const) {
      fake.say(answer)
      await set.work()
      set.advance(3_600_000)
    }
    expect(await jobs(set)).toMatchObject([{ status: 'done', result: '{"sent":1}' }])
    expect(fake.asked).toHaveLength(4)
    await write(services, work => services.search.changed(work, 'contact', ['c2']))
    fake.say('bulk-no-alias')
    await set.work()
    expect((await jobs(set))[1]).toMatchObject({ status: 'done', result: '{"sent":0}' })
  })

  test('is made anew by a job that goes on where it was stopped, and is searched only when it is whole', async () => {
    const fake = await fakeElasticsearch()
    const set = await rig(fake)
    const { services } = set
    // The other columns have defaults.
    const campaign = { id: 'k1', name: 'Été!', status: 'draft', created_at: 6, updated_at: 7 } as CampaignTable
    await services.database.writer.insertInto('campaigns').values(campaign).execute()
    expect(await write(services, work => services.search.reindex(work))).toBeTypeOf('string')
    expect(await write(services, work => services.search.reindex(work))).toBeUndefined()
    fake.say('index-missing', 'index-created', 'bulk-written', 'too-many-requests')
    await set.work()
    expect(await jobs(set)).toMatchObject([{ name: 'search.reindex', status: 'queued' }])
    set.advance(3_600_000)
    fake.say('bulk-written', 'refreshed', 'index-deleted')
    await set.work()
    expect(await jobs(set)).toMatchObject([{ status: 'done', result: '{"sent":3}' }])
    const bulk = { path: '/proxy/campaigns_test_write/_bulk?require_alias=true' }
    const last = { ...bulk, body: [{ index: { _id: 'campaign:k1', version: 7 } }, { kind: 'campaign', words: 'ete' }] }
    expect(fake.asked).toMatchObject([
      { method: 'DELETE', path: '/proxy/campaigns_test_1', body: null },
      {
        method: 'PUT',
        path: '/proxy/campaigns_test_1',
        body: {
          aliases: { campaigns_test_write: {} },
          mappings: { dynamic: 'strict', properties: { words: { type: 'text', analyzer: 'whitespace' } } },
        },
      },
      { ...bulk, body: [{ index: { _id: 'contact:c1' } }, {}, { index: { _id: 'contact:c2' } }, {}] },
      last,
      last,
      { method: 'POST', path: '/proxy/campaigns_test_1/_refresh' },
      { method: 'PUT', path: '/proxy/campaigns_test_1/_alias/campaigns_test' },
    ])
  })

  test('that cannot be reached is a fault that tells nothing of its address', async () => {
    const fake = await fakeElasticsearch()
    const client = createElasticClient({ url: fake.url, index: 'campaigns_test' })
    await fake.close()
    const error: unknown = await client.begin().catch((fault: unknown) => fault)
    expect(error).toBeInstanceOf(ElasticFault)
    expect(String(error)).not.toMatch(/s3cret|127\.0\.0\.1/)
  })
})
