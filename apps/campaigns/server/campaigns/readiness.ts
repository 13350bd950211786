import type { Kysely } from 'kysely'
import type { CampaignTable, Tables, TemplateTable } from '../database/schema.ts'
import { readParams } from '../messages/content.ts'
import { badFields } from '../problem.ts'
import { paramFaults } from '../templates/params.ts'
import { APPROVED, templatesOf } from '../templates/store.ts'
import { type FieldFault, received } from '../validation.ts'
import type { ReplyButton } from '../whatsapp/port.ts'

type Db = Kysely<Tables>

const LONGEST_TEXT = 4096
const LONGEST_BODY = 1024
const MOST_BUTTONS = 3

function templateFaults(
  campaign: CampaignTable,
  templates: ReadonlyMap<string, TemplateTable>,
  which: 'message1' | 'message2' | 'fallback',
): FieldFault[] {
  const field = `${which}_template_id` as const
  const id = campaign[field]
  const template = id === null ? undefined : templates.get(id)
  if (template === undefined || template.account_id !== campaign.account_id) {
    return [{ field, expected: 'a template of the account', received: received(id) }]
  }
  if (template.status !== APPROVED) {
    return [{ field, expected: 'an approved template', received: received(`${template.name}: ${template.status}`) }]
  }
  return paramFaults(template, readParams(campaign[`${which}_params`]), `${which}_params`)
}

function textFaults({ message2_kind: kind, message2_body: body, message2_buttons }: CampaignTable): FieldFault[] {
  const longest = kind === 'text' ? LONGEST_TEXT : LONGEST_BODY
  const length = body?.trim().length ?? 0
  const faults: FieldFault[] = []
  if (length === 0 || length > longest) {
    faults.push({
      field: 'message2_body',
      expected: `a text of 1 to ${longest} characters`,
      received: received(body ?? undefined),
    })
  }
  const buttons = JSON.parse(message2_buttons ?? '[]') as ReplyButton[]
  const different = new Set(buttons.map(({ id }) => id)).size === buttons.length
  if (kind === 'interactive' && (buttons.length === 0 || buttons.length > MOST_BUTTONS || !different)) {
    const expected = `1 to ${MOST_BUTTONS} buttons with ids of their own`
    faults.push({ field: 'message2_buttons', expected, received: received(buttons) })
  }
  return faults
}

async function accountFaults(db: Db, { account_id }: CampaignTable): Promise<FieldFault[]> {
  const account =
    account_id === null
      ? undefined
      : await db.selectFrom('wa_accounts').select('status').where('id', '=', account_id).executeTakeFirst()
  if (account?.status === 'active') return []
  const said = account === undefined ? received(account_id) : received(`${account_id}: ${account.status}`)
  return [{ field: 'account_id', expected: 'a WhatsApp account that is active', received: said }]
}

/** What keeps the campaign from being sent: nothing when it is complete. */
export async function readinessFaults(db: Db, campaign: CampaignTable): Promise<FieldFault[]> {
  const { message1_template_id, message2_template_id, fallback_template_id, message2_kind: kind } = campaign
  const templates = await templatesOf(db, [message1_template_id, message2_template_id, fallback_template_id])
  const category = await db
    .selectFrom('campaign_categories')
    .select('category_id')
    .where('campaign_id', '=', campaign.id)
    .limit(1)
    .executeTakeFirst()
  return [
    ...(await accountFaults(db, campaign)),
    ...(category === undefined ? [{ field: 'category_ids', expected: 'at least one category', received: '[]' }] : []),
    ...templateFaults(campaign, templates, 'message1'),
    ...(kind === 'text' || kind === 'interactive' ? textFaults(campaign) : []),
    ...(kind === 'template' ? templateFaults(campaign, templates, 'message2') : []),
    ...(fallback_template_id === null ? [] : templateFaults(campaign, templates, 'fallback')),
  ]
}

/** A 409 problem that names everything that is missing. */
export async function refuseUnready(db: Db, id: string): Promise<void> {
  const campaign = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  const faults = await readinessFaults(db, campaign)
  if (faults.length > 0) throw badFields(faults, 409)
}
