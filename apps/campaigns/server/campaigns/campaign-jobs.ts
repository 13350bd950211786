import type { NewJob } from '../jobs/contract.ts'

/** The work that a campaign asks for. Each kind is there once for a campaign, however often it is asked for. */
export const CAMPAIGN_PLAN = 'campaign.plan'
export const CAMPAIGN_RUN = 'campaign.run'
export const CAMPAIGN_SKIP = 'campaign.skip'
export const CAMPAIGN_RETRY = 'campaign.retry'

export interface CampaignPayload {
  readonly campaign_id: string
}

export function campaignJob(name: string, campaignId: string, payload: object = {}): NewJob {
  return { name, payload: { campaign_id: campaignId, ...payload }, dedupeKey: `${name}:${campaignId}` }
}

export function readCampaignPayload(payload: unknown): CampaignPayload {
  const { campaign_id } = (payload ?? {}) as { readonly campaign_id?: unknown }
  if (typeof campaign_id !== 'string') throw new Error('campaign_id: expected an id')
  return { campaign_id }
}
