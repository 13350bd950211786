import { sql } from 'kysely'
import { forUpdate } from '../database/portable.ts'
import type { CampaignTable, MessageTable } from '../database/schema.ts'
import type { Work } from '../work.ts'
import { type CountedMessage, contributionOf, COUNTERS, type Counter } from './counters.ts'
import type { MessagePatch } from './states.ts'

/**
 * Moves messages and the counters of their campaigns together, in one transaction. Campaigns are locked before their
 * messages change, in the order of their ids: writers of one campaign then wait for each other, and never in a circle.
 */
export interface Tally {
  /** Locks the campaigns and returns them as they stand. Call it once, before any message is changed. */
  lock(campaignIds: Iterable<string | null>): Promise<ReadonlyMap<string, CampaignTable>>
  /** Changes one message and notes what that does to its campaign. Returns the message as it is now. */
  change(message: MessageTable, patch: MessagePatch): Promise<MessageTable>
  /** Messages that were just inserted. */
  inserted(messages: readonly (CountedMessage & Pick<MessageTable, 'campaign_id'>)[]): void
  /** A change that was made by a statement of its own: the message before and after. */
  moved(campaignId: string, before: CountedMessage, after: CountedMessage): void
  /** Writes the counters, ends campaigns with nothing open, and touches the tags. Call it last. */
  apply(): Promise<void>
}

export function createTally(work: Work): Tally {
  const { trx } = work
  const deltas = new Map<string, Map<Counter, number>>()
  let any = false
  const add = (campaignId: string, message: CountedMessage, sign: 1 | -1): void => {
    const delta = deltas.get(campaignId) ?? new Map<Counter, number>()
    deltas.set(campaignId, delta)
    const contribution = contributionOf(message)
    for (const name of COUNTERS) delta.set(name, (delta.get(name) ?? 0) + sign * contribution[name])
  }
  const moved: Tally['moved'] = (campaignId, before, after) => {
    any = true
    add(campaignId, before, -1)
    add(campaignId, after, 1)
  }
  return {
    async lock(campaignIds) {
      const ids = [...new Set([...campaignIds].filter(id => id !== null))].sort()
      if (ids.length === 0) return new Map()
      const rows = await trx
        .selectFrom('campaigns')
        .selectAll()
        .where('id', 'in', ids)
        .orderBy('id')
        .$call(forUpdate(work.engine))
        .execute()
      return new Map(rows.map(row => [row.id, row]))
    },
    async change(message, patch) {
      any = true
      await trx.updateTable('messages').set(patch).where('id', '=', message.id).execute()
      const after = { ...message, ...patch }
      if (message.campaign_id !== null) moved(message.campaign_id, message, after)
      return after
    },
    inserted(messages) {
      for (const message of messages) {
        any = true
        if (message.campaign_id !== null) add(message.campaign_id, message, 1)
      }
    },
    moved,
    async apply() {
      for (const [campaignId, delta] of [...deltas].sort(([a], [b]) => (a < b ? -1 : 1))) {
        await applyDelta(work, campaignId, delta)
        await completeCampaign(work, campaignId)
        work.touch(`campaign:${campaignId}`, 'campaigns')
      }
      if (any) work.touch('messages')
    },
  }
}

async function applyDelta({ trx, at }: Work, campaignId: string, delta: ReadonlyMap<Counter, number>): Promise<void> {
  const changes = [...delta].filter(([, by]) => by !== 0)
  if (changes.length === 0) return
  const set = Object.fromEntries(changes.map(([name, by]) => [name, sql`${sql.ref(name)} + ${by}`]))
  await trx
    .updateTable('campaigns')
    .set({ ...set, updated_at: at })
    .where('id', '=', campaignId)
    .execute()
}

/** Ends a running campaign whose audience is frozen and of which nobody is open any more. True when it ended now. */
export async function completeCampaign({ trx, at }: Work, campaignId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('campaigns')
    .set({ status: 'completed', completed_at: at, updated_at: at })
    .where('id', '=', campaignId)
    .where('status', '=', 'running')
    .where('planned_at', 'is not', null)
    .where('open_count', '=', 0)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
