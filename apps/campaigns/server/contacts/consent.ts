import type { ContactTable } from '../database/schema.ts'
import type { Work } from '../work.ts'

export const CONSENT_ACTIONS = ['opt_in', 'opt_out'] as const
export type ConsentAction = (typeof CONSENT_ACTIONS)[number]

type Consenting = Pick<ContactTable, 'id' | 'opt_in_at' | 'opt_out_at' | 'updated_at'>

/** What an action makes of a contact; undefined when it already is so. A contact is opted out while `opt_out_at` is set. */
export function consentPatch(
  row: Consenting,
  action: ConsentAction,
  at: number,
): Pick<ContactTable, 'opt_in_at' | 'opt_out_at' | 'updated_at'> | undefined {
  const updated_at = Math.max(at, row.updated_at + 1)
  if (action === 'opt_out') {
    return row.opt_out_at === null ? { opt_in_at: row.opt_in_at, opt_out_at: at, updated_at } : undefined
  }
  if (row.opt_out_at === null && row.opt_in_at !== null) return undefined
  return { opt_in_at: at, opt_out_at: null, updated_at }
}

/**
 * Writes down that a contact wants our messages, or wants them no more. The caller has read the row in the same
 * transaction, locked. Returns whether anything changed; saying the same again keeps the first time.
 */
export async function setConsent(work: Work, row: Consenting, action: ConsentAction): Promise<boolean> {
  const patch = consentPatch(row, action, work.at)
  if (patch === undefined) return false
  await work.trx.updateTable('contacts').set(patch).where('id', '=', row.id).execute()
  const { opt_in_at, opt_out_at } = row
  const after = { opt_in_at: patch.opt_in_at, opt_out_at: patch.opt_out_at }
  await work.record({ action, entity: 'contact', id: row.id, before: { opt_in_at, opt_out_at }, after })
  work.touch('contacts')
  return true
}
