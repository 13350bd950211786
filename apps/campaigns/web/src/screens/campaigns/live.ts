import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type Campaign, campaignQuery, campaignStatsQuery } from '../../data/campaigns.ts'
import { useClient, useLive } from '../../data/context.tsx'
import { handledOf, phaseOf, pollEvery, type Sample, speedOf, timeLeft, withSample } from './progress.ts'

/** The campaign and its figures; they move by what the server tells, or are asked for while nobody tells. */
export function useCampaign(id: string) {
  const client = useClient()
  const isTold = useLive() === 'live'
  const campaign = useQuery({
    ...campaignQuery(client, id),
    refetchInterval: ({ state }) => pollEvery(state.data?.value.status, isTold),
  })
  const status = campaign.data?.value.status
  const stats = useQuery({ ...campaignStatsQuery(client, id), refetchInterval: pollEvery(status, isTold) })
  return { campaign, stats }
}

export interface Pace {
  /** Recipients a minute. */
  readonly speed: number | undefined
  /** Milliseconds. */
  readonly left: number | undefined
}

const NONE: readonly Sample[] = []

/** How fast it sends, measured from what this page has seen, and how long the rest takes. */
export function usePace(campaign: Campaign, seenAt: number): Pace {
  const [samples, setSamples] = useState(NONE)
  // Whoever is left out is handled while the audience is drawn up: that is no sending.
  const isSending = phaseOf(campaign) === 'sending'
  const next = isSending ? withSample(samples, { at: seenAt, handled: handledOf(campaign) }) : NONE
  if (next !== samples) setSamples(next)
  const speed = speedOf(next)
  return { speed, left: timeLeft(campaign.queued, speed) }
}
