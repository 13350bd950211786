import { useQuery } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { type Campaign, campaignQuery, campaignStatsQuery } from '../../data/campaigns.ts'
import { useClient, useLive } from '../../data/context.tsx'
import { handledOf, pollEvery, type Sample, speedOf, timeLeft, withSample } from './progress.ts'

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

/** How fast it sends, measured from what this page has seen, and how long the rest takes. */
export function usePace(campaign: Campaign, seenAt: number): Pace {
  const samples = useRef<readonly Sample[]>([])
  const { queued, total, status } = campaign
  return useMemo(() => {
    if (status !== 'running') samples.current = []
    else samples.current = withSample(samples.current, { at: seenAt, handled: handledOf({ total, queued }) })
    const speed = speedOf(samples.current)
    return { speed, left: timeLeft(queued, speed) }
  }, [queued, total, status, seenAt])
}
