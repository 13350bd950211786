import type { CampaignTable } from '../database/schema.ts'
import { COUNTERS, type Counter, type Counters, NO_COUNTS, recountMessages } from '../messages/counters.ts'
import { completeCampaign, createTally } from '../messages/tally.ts'
import type { Services } from '../services.ts'
import { write } from '../work.ts'

/** A counter of a campaign that is not what its messages add up to. */
export interface Difference {
  readonly campaignId: string
  readonly counter: Counter
  readonly stored: number
  readonly counted: number
}

function compare(campaign: CampaignTable | (Counters & { readonly id: string }), counted: Counters): Difference[] {
  return COUNTERS.filter(name => campaign[name] !== counted[name]).map(counter => ({
    campaignId: campaign.id,
    counter,
    stored: campaign[counter],
    counted: counted[counter],
  }))
}

/** Counts one campaign while nobody can change it, and sets its counters right if asked to. */
function check(services: Services, id: string, repair: boolean): Promise<Difference[]> {
  return write(services, async work => {
    const campaign = (await createTally(work).lock([id])).get(id)
    if (campaign === undefined) return []
    const counted = (await recountMessages(work.trx, [id])).get(id) ?? NO_COUNTS
    const differences = compare(campaign, counted)
    if (!repair || differences.length === 0) return differences
    const before = Object.fromEntries(differences.map(({ counter, stored }) => [counter, stored]))
    const after = Object.fromEntries(differences.map(difference => [difference.counter, difference.counted]))
    await work.trx
      .updateTable('campaigns')
      .set({ ...after, updated_at: work.at })
      .where('id', '=', id)
      .execute()
    await completeCampaign(work, id)
    await work.record({ action: 'campaign.recount', entity: 'campaign', id, before, after })
    work.touch(`campaign:${id}`, 'campaigns')
    return differences
  })
}

/**
 * Compares the counters of all campaigns with their messages: once for all by one query, then each that seems wrong by
 * itself, locked, since campaigns may be running. Returns what was wrong; it is right now if `repair` was asked for.
 */
export async function recountCampaigns(services: Services, repair: boolean): Promise<Difference[]> {
  const { reader } = services.database
  const counted = await recountMessages(reader)
  const campaigns = await reader
    .selectFrom('campaigns')
    .select(['id', ...COUNTERS])
    .orderBy('id')
    .execute()
  const differences: Difference[] = []
  for (const campaign of campaigns) {
    if (compare(campaign, counted.get(campaign.id) ?? NO_COUNTS).length === 0) continue
    differences.push(...(await check(services, campaign.id, repair)))
  }
  return differences
}
