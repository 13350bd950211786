import type { Kysely } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { freeFormContent, readParams, templateContent } from '../messages/content.ts'
import { templatesOf } from '../templates/store.ts'
import type { FieldFault } from '../validation.ts'
import { ADDRESSABLE, asksOptIn, type AudienceCount, countAudience } from './audience.ts'
import { readinessFaults } from './readiness.ts'
import { categoryIdsOf, findCampaignRow } from './store.ts'

export interface Preview {
  readonly audience: AudienceCount
  readonly missing: readonly FieldFault[]
  readonly samples: readonly {
    readonly contact: { readonly id: string; readonly name: string }
    /** Null where a parameter has no text for this contact. */
    readonly message1: string | null
    readonly message2: string | null
  }[]
}

const SAMPLES = 3

/** Who a campaign would reach if it started now, and what the first of them would read. */
export async function previewCampaign(db: Kysely<Tables>, id: string): Promise<Preview> {
  const campaign = await findCampaignRow(db, id)
  const categories = await categoryIdsOf(db, id)
  const templates = await templatesOf(db, [campaign.message1_template_id, campaign.message2_template_id])
  const first = templates.get(campaign.message1_template_id ?? '')
  const second = templates.get(campaign.message2_template_id ?? '')
  const contacts =
    categories.length === 0
      ? []
      : await db
          .selectFrom('contacts')
          .select(ADDRESSABLE)
          .where(({ exists, selectFrom }) =>
            exists(
              selectFrom('contact_categories')
                .select('contact_id')
                .whereRef('contact_id', '=', 'contacts.id')
                .where('category_id', 'in', categories),
            ),
          )
          .orderBy('id')
          .limit(SAMPLES)
          .execute()
  const samples = contacts.map(contact => {
    const one = first && templateContent(first, readParams(campaign.message1_params), contact)
    const two =
      campaign.message2_kind === 'template'
        ? second && templateContent(second, readParams(campaign.message2_params), contact)
        : freeFormContent(campaign, contact)
    const { id: contactId, name } = contact
    return { contact: { id: contactId, name }, message1: one?.body ?? null, message2: two?.body ?? null }
  })
  const optIn = first !== undefined && asksOptIn(first)
  return {
    audience: await countAudience(db, categories, optIn),
    missing: await readinessFaults(db, campaign),
    samples,
  }
}
