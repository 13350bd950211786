import { halt, lockCampaign } from '../campaigns/lifecycle.ts'
import type { InboxTable } from '../database/schema.ts'
import { sendReleased } from '../messages/interaction.ts'
import type { Services } from '../services.ts'
import type { SettingValues } from '../settings/definitions.ts'
import type { Work } from '../work.ts'
import { applyInbound } from './apply-inbound.ts'
import { type Applied, applyStatus } from './apply-status.ts'
import { applyTemplateEvent } from './apply-template.ts'
import { type Batch, openBatch } from './batch.ts'
import { readInbound, readStatus } from './events.ts'

/** Last of all: what asks for jobs waits for whoever holds them, and nobody is to wait for us meanwhile. */
async function end({ services, work, ends }: Batch): Promise<void> {
  for (const [id, { to, reason }] of [...ends.halts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const campaign = await lockCampaign(work, id)
    if (campaign.status === 'running') await halt(work, campaign, to, reason)
  }
  for (const id of [...ends.runs].sort()) await sendReleased(services, work, id)
}

/** Applies the rows in their order. What each of them came to is found by its id; the caller notes it. */
export async function applyEvents(
  services: Services,
  work: Work,
  settings: SettingValues,
  rows: readonly InboxTable[],
): Promise<ReadonlyMap<string, Applied>> {
  const statuses = new Map(rows.filter(row => row.kind === 'status').map(row => [row.id, readStatus(row)]))
  const inbound = new Map(rows.filter(row => row.kind === 'message').map(row => [row.id, readInbound(row)]))
  const events = { statuses: [...statuses.values()], inbound: [...inbound.values()] }
  const batch = await openBatch(services, work, settings, events)
  const applied = new Map<string, Applied>()
  for (const row of rows) {
    const status = statuses.get(row.id)
    const message = inbound.get(row.id)
    if (status !== undefined) applied.set(row.id, await applyStatus(batch, status))
    else if (message !== undefined) applied.set(row.id, await applyInbound(batch, message))
    else applied.set(row.id, await applyTemplateEvent(work, row))
  }
  await batch.tally.apply()
  await end(batch)
  return applied
}
