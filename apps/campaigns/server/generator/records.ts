import { SYSTEM } from '../access/actor.ts'
import type { CategoryTable, ContentTable, HistoryTable, JobTable } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import { TEMPLATES_SYNC, templateSync } from '../templates/sync.ts'
import type { CampaignPlan } from './campaigns.ts'
import { type DataSet, DAY, STREAMS } from './data-set.ts'
import { createRandom } from './random.ts'

interface Sources {
  readonly categories: readonly CategoryTable[]
  readonly plans: readonly CampaignPlan[]
  readonly content: readonly ContentTable[]
}

interface Entry {
  readonly at: number
  readonly action: string
  readonly entity: string
  readonly id: string
  readonly before?: object
  readonly after?: object
}

function* entriesOf({ categories, plans, content }: Sources): Generator<Entry> {
  for (const { id, name, color, created_at: at } of categories)
    yield { at, action: 'create', entity: 'category', id, after: { id, name, color } }
  for (const { id, slug, title, created_at: at } of content)
    yield { at, action: 'create', entity: 'content', id, after: { slug, title } }
  for (const { id, name, createdAt: at, startedAt } of plans) {
    yield { at, action: 'create', entity: 'campaign', id, after: { id, name, status: 'draft' } }
    if (startedAt === null) continue
    const [before, after] = [{ status: 'draft' }, { status: 'running' }]
    yield { at: startedAt, action: 'start', entity: 'campaign', id, before, after }
  }
}

/** Who made the sample: the application itself. The people who will work with it do not exist yet. */
export function makeHistory({ seed }: DataSet, sources: Sources): HistoryTable[] {
  const random = createRandom(seed, STREAMS.records)
  const entries = [...entriesOf(sources)].sort((a, b) => a.at - b.at)
  return entries.map(({ at, action, entity, id, before, after }, index) => ({
    id: uuidv7(at, index % 0x1000, random.hex16()),
    admin_id: null,
    actor: SYSTEM.name,
    action,
    entity,
    entity_id: id,
    before: before === undefined ? null : JSON.stringify(before),
    after: after === undefined ? null : JSON.stringify(after),
    ip: null,
    request_id: null,
    timestamp: at,
  }))
}

/** The templates were read every day; once WhatsApp did not answer. */
export function makeJobs({ seed, now }: DataSet, templates: number): JobTable[] {
  const random = createRandom(seed, STREAMS.records + 100)
  return Array.from({ length: 30 }, (_, index) => {
    const created_at = now - (30 - index) * DAY + DAY / 2
    const failed = index === 12
    const { queue, maxAttempts } = templateSync
    return {
      id: uuidv7(created_at, index, random.hex16()),
      queue,
      name: TEMPLATES_SYNC,
      payload: '{}',
      run_at: created_at,
      priority: 0,
      attempts: failed ? maxAttempts : 1,
      max_attempts: maxAttempts,
      locked_by: null,
      locked_until: null,
      dedupe_key: null,
      status: failed ? 'failed' : 'done',
      progress: null,
      result: failed ? null : JSON.stringify({ accounts: 1, templates, changed: 0, refused: [] }),
      last_error: failed ? 'The Cloud API did not answer.' : null,
      created_by: null,
      created_at,
      started_at: created_at + 50,
      finished_at: created_at + 300 + random.below(2000),
    } as const
  })
}
